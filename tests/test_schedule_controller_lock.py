"""One controller per working directory: a second one is refused, and the lock that a dead one left is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cenbench.schedule.controller_lock import hold_working_directory


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A lock of Snakemake's own, as kill -9 leaves it."""
    path = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_a_dead_controllers_lock_is_removed_and_a_second_controller_refused(tmp_path: Path, stale: Path) -> None:
    hold = hold_working_directory(tmp_path)
    assert hold
    assert not stale.exists()
    stale.touch()  # the live controller's
    assert hold_working_directory(tmp_path) is None
    assert stale.exists()
    hold.close()
    assert hold_working_directory(tmp_path)
    assert not stale.exists()


def test_a_lock_of_another_host_is_not_touched(tmp_path: Path, stale: Path) -> None:
    (tmp_path / ".snakemake" / "controller").write_text("another-host")
    hold = hold_working_directory(tmp_path)
    assert hold
    assert stale.exists()
