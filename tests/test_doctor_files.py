"""The doctor's checks of the file system: rename, fsync, locks and clocks are really tested, and failures are found."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import NoReturn

import pytest

from cenbench.doctor.filesystem import (
    HELD,
    check_clock,
    check_fsync,
    check_lock,
    check_rename,
    filesystem_checks,
)


def fails(*_: object) -> NoReturn:
    raise OSError(errno.EOPNOTSUPP, "not here")


def test_a_good_folder_passes_and_nothing_is_left_behind(tmp_path: Path) -> None:
    results = tmp_path / "results"
    checks = filesystem_checks(results)
    assert [(check.name, check.outcome) for check in checks] == [
        ("rename", "ok"),
        ("fsync", "ok"),
        ("lock", "ok"),
        ("clock", "ok"),
    ]
    assert list(tmp_path.iterdir()) == [], "not even results/, which the run makes"


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    """A file in place of the folder: root can write into any folder."""
    (tmp_path / "results").write_text("a file")
    (check,) = filesystem_checks(tmp_path / "results")
    assert (check.name, check.outcome) == ("results folder", "problem")


def test_rename_that_is_refused(tmp_path: Path) -> None:
    check = check_rename(tmp_path, replace=fails)
    assert (check.outcome, "not here" in check.found) == ("problem", True)


def test_rename_that_changes_the_bytes_under_a_reader(tmp_path: Path) -> None:
    def overwrite(fresh: Path, path: Path) -> None:
        path.write_bytes(fresh.read_bytes())

    assert check_rename(tmp_path, replace=overwrite).outcome == "problem"


def test_rename_that_does_nothing(tmp_path: Path) -> None:
    assert check_rename(tmp_path, replace=lambda fresh, path: None).outcome == "problem"


def test_fsync_that_is_refused_or_slow(tmp_path: Path) -> None:
    assert check_fsync(tmp_path, fsync=fails).outcome == "problem"
    assert check_fsync(tmp_path, fsync=lambda handle: time.sleep(0.6)).outcome == "warning"


def test_the_file_and_its_folder_are_both_fsynced(tmp_path: Path) -> None:
    synced = []
    check_fsync(tmp_path, fsync=lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    assert synced == ["synced", tmp_path.name]


@pytest.mark.parametrize("flock", [fails, lambda handle, what: None])
def test_locks_that_are_refused_or_have_no_effect(tmp_path: Path, flock: object) -> None:
    """The other process is real: it gets the lock that is not held."""
    assert check_lock(tmp_path, flock=flock).outcome == "problem"  # type: ignore[arg-type]


def test_a_lock_that_outlives_its_holder(tmp_path: Path) -> None:
    assert check_lock(tmp_path, other=lambda path: HELD).outcome == "problem"


@pytest.mark.parametrize(
    ("ahead_s", "outcome"), [(0, "ok"), (5, "warning"), (-5, "warning"), (90, "problem"), (-90, "problem")]
)
def test_clocks_that_differ(tmp_path: Path, ahead_s: float, outcome: str) -> None:
    check = check_clock(tmp_path, now=lambda: time.time() + ahead_s)
    assert check.outcome == outcome
    assert f"differ by {abs(ahead_s):.1f} s" in check.found or ahead_s


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no tmpfs at /dev/shm")
def test_on_a_tmpfs_too() -> None:
    assert {check.outcome for check in filesystem_checks(Path("/dev/shm/cenbench-doctor"))} == {"ok"}
