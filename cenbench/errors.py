"""The one error a user ever sees: what is wrong, where, what was found, what was expected, how to fix it."""
# changes no number: how a mistake is reported

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class UserError(Exception):
    """A mistake a person can fix. The command line prints it without a traceback and exits with status 2.

    `where` is the file (or folder), `key` the dotted key inside it, `found` and `expected` the values, `fix` the
    next thing to do, as a command where there is one.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: Path | str | None = None,
        key: str | None = None,
        found: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.problem = problem
        self.where = where
        self.key = key
        self.found = found
        self.expected = expected
        self.fix = fix
        super().__init__(problem)

    def __str__(self) -> str:
        lines = [self.problem]
        for label, value in (
            ("file", self.where),
            ("key", self.key),
            ("found", self.found),
            ("expected", self.expected),
            ("fix", self.fix),
        ):
            if value is not None:
                lines.append(f"  {label}: {value}")
        return "\n".join(lines)


def all_of(errors: Sequence[UserError]) -> UserError:
    """One error that says all of `errors`, at least one."""
    if len(errors) == 1:
        return errors[0]
    return UserError("\n\n".join(str(error) for error in errors))


class CellFailed(UserError):
    """A cell's run ended without a result (non-finite loss, out of memory): shown in the table with its reason."""


class Stopped(BaseException):
    """Asked to stop by SIGTERM (preemption, a time limit ahead). Nothing is lost: the same command continues.

    No `Exception`, as `KeyboardInterrupt` is none: what handles errors must not take it for one.
    """


class CellSkipped(UserError):
    """A cell that cannot run here for a reason that is nobody's mistake (pretrained weights absent)."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. CUDA's error is told by its name, since torch is not imported here; torch's allocator
    on the CPU raises a plain RuntimeError that says so only in words.
    """
    said = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or said
