"""What the Snakemake process that reads the Snakefile is about to do: work, or only show what it would do. Torch-free.

While the Snakefile is read, Snakemake does not know yet whether this is a dry run. It knows once it builds the graph of
jobs, which begins with the input functions of the targets: `Dag.begin` is one of every rule's.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cenbench.errors import UserError
from cenbench.schedule.controller_lock import hold_working_directory
from cenbench.schedule.interruption import Interruption


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

    @property
    def works(self) -> bool:
        """Whether this process runs jobs and decides which: not a dry run, `--touch`, `--summary`, `--unlock` and the
        like, nor the Snakemake inside a job. Known once Snakemake builds the graph of jobs.
        """
        workflow = self.workflow
        shows = workflow.executor_plugin is None or workflow.dryrun or workflow.touch
        return workflow.is_main_process and not shows

    def begin(self) -> tuple[str, ...]:
        """An input function that names no file. A process that works holds the working directory from here on; what
        has to be made again, a dry run shows and a real run makes.

        Ends the process with status 1 if another controller is at work: an exception would be printed by Snakemake with
        a traceback.
        """
        workflow = self.workflow
        if not self._begun and (self.works or (workflow.is_main_process and workflow.dryrun)):
            self._begun = True
            try:
                if self.works:
                    atexit.register(hold_working_directory(self.root).close)
                workflow.dag.forcefiles.update(self.made_again(self.works))
                if self.works:
                    interruption = Interruption()
                    interruption.watch()
                    self.started(interruption)
            except UserError as error:
                print(error, file=sys.stderr, flush=True)
                raise SystemExit(1) from None
        return ()
