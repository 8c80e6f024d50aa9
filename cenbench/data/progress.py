"""Progress of a long command: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cenbench.visible import visible

_LINE_EVERY_S = 10.0


def remark(line: str) -> None:
    """Print a line beside the progress; characters that a terminal would act on are replaced: it may quote files."""
    print(visible(line), file=sys.stderr, flush=True)


@contextmanager
def counting(what: str, done: int, total: int, bar: bool, of: str = "scenes") -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of scenes (or other items, named by `of`) just finished."""
    if bar:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(what, total=total, completed=done)
            yield lambda count: shown.advance(task, count)
        return
    state = {"done": done, "printed_s": time.monotonic()}
    remark(f"{what}: {done} of {total} {of}")

    def advance(count: int) -> None:
        state["done"] += count
        if state["done"] == total or time.monotonic() - state["printed_s"] > _LINE_EVERY_S:
            state["printed_s"] = time.monotonic()
            remark(f"{what}: {state['done']} of {total} {of}")

    yield advance
