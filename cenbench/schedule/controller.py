"""What the Snakemake process that reads the Snakefile is about to do: work, or only show what it would do. Torch-free.

While the Snakefile is read, Snakemake does not know yet whether this is a dry run. It knows once it builds the graph of
jobs, which begins with the input functions of the targets: `Dag.begin` is one of every rule's.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Protocol

from cenbench.errors import UserError
from cenbench.schedule.controller_lock import hold_working_directory
from cenbench.schedule.interruption import Interruption

_CHANGES_FILES = ("delete_output", "unlock", "cleanup_metadata", "cleanup_shadow")
"""What Snakemake's workflow does for --delete-all-output, --delete-temp-output, --unlock and the like. It asks for no
lock first, and two of them build no graph of jobs, so `Controller.begin` is never called.
"""


class Workflow(Protocol):
    """The part of Snakemake's workflow that is used here."""

    dag: Any
    scheduler: Any

    @property
    def dryrun(self) -> bool: ...
    @property
    def touch(self) -> bool: ...
    @property
    def is_main_process(self) -> bool: ...
    @property
    def executor_plugin(self) -> object | None: ...
    @property
    def local_exec(self) -> bool: ...


@dataclass
class Controller:
    """The Snakemake process of a working directory."""

    root: Path
    workflow: Workflow
    made_again: Callable[[bool], Iterable[str]]
    """Gives the files to make again whatever Snakemake finds: it compares times and its own notes, never contents.
    Called before Snakemake looks at any file, with whether this process works; if so, it holds the working directory.
    """
    started: Callable[[Interruption], None] = lambda interruption: None
    """Called once, when this process begins to work."""
    _begun: bool = False

    def __post_init__(self) -> None:
        """Let those commands that change files without a run hold the working directory meanwhile."""
        for name in _CHANGES_FILES:
            if (change := getattr(self.workflow, name, None)) is not None:
                setattr(self.workflow, name, self._holding(change))

    @property
    def works(self) -> bool:
        """Whether this process runs jobs and decides which: not a dry run, `--touch`, `--summary`, `--unlock` and the
        like, nor the Snakemake inside a job. Known once Snakemake builds the graph of jobs.
        """
        workflow = self.workflow
        shows = workflow.executor_plugin is None or workflow.dryrun or workflow.touch
        return workflow.is_main_process and not shows

    def begin(self) -> tuple[str, ...]:
        """An input function that names no file. A process that works, or touches, holds the working directory from here
        on; what has to be made again, a dry run shows and a real run makes.

        Ends the process with status 1 if another controller is at work.
        """
        workflow = self.workflow
        if not self._begun and workflow.is_main_process and workflow.executor_plugin is not None:
            self._begun = True
            with ended_by_mistakes():
                if not workflow.dryrun:
                    atexit.register(hold_working_directory(self.root).close)
                if not workflow.touch:
                    workflow.dag.forcefiles.update(self.made_again(self.works))
                if self.works:
                    interruption = Interruption()
                    interruption.watch()
                    self.started(interruption)
        return ()

    def _holding(self, change: Callable[..., None]) -> Callable[..., None]:
        """`change`, while this process holds the working directory; as a dry run, it takes no hold."""

        @wraps(change)
        def held(*arguments: Any, **options: Any) -> None:
            if options.get("dryrun"):
                return change(*arguments, **options)
            with ended_by_mistakes():
                hold = hold_working_directory(self.root)
            with hold:
                return change(*arguments, **options)

        return held


@contextmanager
def ended_by_mistakes() -> Iterator[None]:
    """Print a `UserError` and end with status 1: Snakemake would print an exception with a traceback."""
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(1) from None
