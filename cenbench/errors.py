"""The errors that users see: what is wrong, where, what was found, what was expected, how to fix it."""
# changes no number: how a mistake is reported

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class UserError(Exception):
    """An error the user can fix. The command line prints it without a traceback and exits with status 2.

    `where` is the file or folder, `key` the dotted key in it, `found` and `expected` are the values, `fix` is the next
    step, as a command if possible.
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
    """One error with the messages of all `errors`, of which there is at least one."""
    if len(errors) == 1:
        return errors[0]
    return UserError("\n\n".join(str(error) for error in errors))


class CellFailed(UserError):
    """A cell's run ended without a result (non-finite loss, out of memory). Tables show the reason."""


class Stopped(BaseException):
    """Stopped by SIGTERM (preemption, an approaching time limit). Nothing is lost: rerun the command to resume.

    Like `KeyboardInterrupt`, it is not an `Exception`, so that code which handles errors does not catch it.
    """


class TakenOver(UserError):
    """Another process took this cell over while this one was stopped; nothing may be written any more."""


class CellSkipped(UserError):
    """A cell cannot run here, through no mistake (for example: pretrained weights missing)."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out.

    CUDA's error is recognised by its name, because torch is not imported here; torch's allocator on the CPU raises a
    plain RuntimeError, recognised by its message.
    """
    on_cpu = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or on_cpu
