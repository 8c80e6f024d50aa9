"""One Snakemake at work per working directory, and the locks of a dead one removed. Torch-free.

Snakemake's own lock outlives kill -9, so something has to tell whether its holder lives. A controller holds an flock,
which the kernel releases when the process ends, and a claim: a file with host, pid and start time, created
exclusively, because an flock may not reach other hosts. The claim is removed when the controller ends; one that was
killed leaves it behind. It is removed for it, with Snakemake's locks, only where its process is known to have ended,
or to work in another folder, of which this one is a copy.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cenbench.errors import UserError
from cenbench.file_lock import file_lock
from cenbench.files import room_to_write, where_supported
from cenbench.process import Process, fate_as_holder, folder_id, how_to_go_on, this_process
from cenbench.regular_file import is_there
from cenbench.strict_json import read_strict

_CLAIM = "controller.json"
_IDENTIFIES_ITSELF_S = 1.0
"""A controller that has just begun writes its claim within this time."""


@dataclass(frozen=True)
class Claim:
    """Which controller is at work in a working directory."""

    process: Process
    since: str
    """Local time with its offset from UTC."""
    folder: str | None = None
    """Which folder it holds, by `folder_id`; None in files of older versions."""

    def __str__(self) -> str:
        stopped = " (stopped)" if self.process.fate == "stopped" else ""
        return f"{self.process}{stopped}, since {self.since}"


_VALID = TypeAdapter(Claim)


def controller_file(root: Path) -> Path:
    """The file that a live controller of `root` holds locked."""
    return root / ".snakemake" / "controller"


def hold_working_directory(root: Path) -> ExitStack:
    """Hold `root` for this controller, after removing what a dead one left in `.snakemake/locks`.

    Close the returned stack when the controller ends. Raises `UserError`, and removes nothing, if another controller
    is at work here, or may be: nothing here can tell whether a process of another host lives.
    """
    try:
        with ExitStack() as hold:
            hold.enter_context(file_lock(controller_file(root), wait=False))
            hold.callback(_take_claim(root))
            return hold.pop_all()
    except BlockingIOError:
        raise _refused(root, _claim_of_the_holder(root)) from None
    except OSError as error:
        raise UserError(
            f"cannot hold the working directory: {error.strerror}",
            where=controller_file(root),
            fix="run Snakemake as a user who may write there",
        ) from error


def controller_elsewhere(root: Path) -> Claim | None:
    """The controller of `root` that holds no flock which can be seen here, but may be at work; None without one."""
    with suppress(UserError):
        claim = _read_claim(root)
        return claim if claim is not None and _may_be_at_work(root, claim) else None
    return None


def _may_be_at_work(root: Path, claim: Claim) -> bool:
    """Not a controller that has ended, nor one of another folder, from which `root` was copied."""
    return fate_as_holder(claim.process, claim.folder, root) != "ended"


def _take_claim(root: Path) -> Callable[[], None]:
    """Create the claim; returns what removes it."""
    path = root / ".snakemake" / _CLAIM
    text = _text(Claim(this_process(), time.strftime("%Y-%m-%dT%H:%M:%S%z"), folder_id(root)))
    while not _created(path, text):
        claim = _read_claim(root)
        if claim is not None and _may_be_at_work(root, claim):
            raise _refused(root, claim)
        for stale in (root / ".snakemake" / "locks").glob("*.lock"):
            stale.unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # last: killed before, the next controller does all of this again

    def remove() -> None:
        with suppress(OSError):
            if path.read_text() == text:
                path.unlink()

    return remove


def _text(claim: Claim) -> str:
    return json.dumps(_VALID.dump_python(claim, mode="json"), indent=1, sort_keys=True) + "\n"


def _created(path: Path, text: str) -> bool:
    """Create the file complete and only if it is absent, on whatever host; False if it exists."""
    with room_to_write(path), tempfile.NamedTemporaryFile("w", prefix=f".{_CLAIM}.", dir=path.parent) as file:
        file.write(text)
        file.flush()
        with where_supported():
            os.fsync(file.fileno())
        with where_supported():
            Path(file.name).chmod(0o644)
        try:
            path.hardlink_to(file.name)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with path.open("x") as plain:
                    plain.write(text)
            except FileExistsError:
                return False
    return True


def _read_claim(root: Path) -> Claim | None:
    """The claim; None if there is none. `UserError` for one that cannot be read: its holder may be alive."""
    path = root / ".snakemake" / _CLAIM
    if not is_there(path):
        return None
    try:
        return _VALID.validate_json(read_strict(path)[1], strict=True)
    except (UserError, ValidationError):
        if not is_there(path):
            return None
    raise _refused(root, None)


def _claim_of_the_holder(root: Path) -> Claim | None:
    """The claim of the controller that holds the flock: it may be about to write it."""
    until = time.monotonic() + _IDENTIFIES_ITSELF_S
    while time.monotonic() < until:
        with suppress(UserError):
            claim = _read_claim(root)
            if claim is not None and _may_be_at_work(root, claim):
                return claim
        time.sleep(0.05)
    return None


def _refused(root: Path, claim: Claim | None) -> UserError:
    folder = root / ".snakemake"
    clear = f"rm -f {shlex.quote(str(folder / _CLAIM))} {shlex.quote(str(folder / 'locks'))}/*.lock"
    if claim is None:
        fix = f"wait for it to end; or, if no Snakemake is running here on any host: {clear}"
    elif claim.process.fate == "unknown":
        fix = f"wait for it to end; or, if process {claim.process.pid} has ended on {claim.process.host}: {clear}"
    elif claim.process.fate == "stopped":
        fix = how_to_go_on(claim.process)
    else:
        fix = "wait for it to end, or end it with Ctrl-C; cenbench status shows how far the cells are"
    return UserError(
        "Snakemake is already running in this folder; nothing was changed",
        where=root,
        found=str(claim or "a process that has not identified itself"),
        expected="one Snakemake at work per folder; dry runs (-n) are always possible",
        fix=fix,
    )
