"""A dataset that changes while something reads it leaves no result: not in weights, not in a saved state."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_train_loop import IDENTITY, TOTAL, Line
from tiny_dataset import write_dataset

from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.train import loop
from cenbench.train.loop import train_steps
from cenbench.train.state import load_state


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return write_dataset(tmp_path, {"rgb": np.full((4, 8, 8, 3), 7, np.uint8)}, train_scenes=3)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x08")


def restore(path: Path) -> None:
    """Overwritten and put back, its mtime too: by now the content is as it was."""
    times = path.stat()
    overwrite(path)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x07")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))


def replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copy2(path, copy)
    copy.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "overwritten in place": overwrite,
    "overwritten and put back": restore,
    "replaced by a copy": replace,
    "truncated": lambda path: os.truncate(path, 100),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["rgb.npy", "manifest.json"])
def test_a_change_of_a_file_is_noticed_and_named(prepared: Prepared, change: str, name: str) -> None:
    prepared.check_untouched()
    path = prepared.folder / name
    CHANGES[change](path)
    with pytest.raises(UserError, match="changed while it was in use") as caught:
        prepared.check_untouched()
    assert caught.value.where == path
    assert "rerun the same command" in str(caught.value.fix)


def test_a_new_mode_or_a_hard_link_is_not_a_change(prepared: Prepared, tmp_path: Path) -> None:
    """A backup by hard links, or chmod, changes the ctime alone: the bytes are read once more, and are the same."""
    (prepared.folder / "rgb.npy").chmod(0o444)
    os.link(prepared.folder / "rgb.npy", tmp_path / "backup.npy")
    os.link(prepared.folder / "manifest.json", tmp_path / "backup.json")
    prepared.check_untouched()
    prepared.check_untouched()


def test_a_changed_byte_with_its_old_mtime_is_noticed(prepared: Prepared) -> None:
    path = prepared.folder / "rgb.npy"
    times = path.stat()
    overwrite(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UserError, match="changed while it was in use"):
        prepared.check_untouched()


def test_no_state_is_saved_after_a_change(prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved at every line of history; the change comes in the middle, and the last state is of before it."""
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "SAVE_SHARE", 1e9)
    change_at = 31

    class Disturbed(Line):
        def step(self, step: int) -> object:  # type: ignore[override]
            if step == change_at:
                overwrite(prepared.folder / "rgb.npy")
            return super().step(step)

    with pytest.raises(UserError, match="changed while it was in use"):
        train_steps(
            Disturbed(),  # type: ignore[arg-type]
            folder=tmp_path,
            seed=3,
            total=TOTAL,
            steps_per_epoch=10,
            identity=IDENTITY,
            before_saving=prepared.check_untouched,
        )
    state = load_state(tmp_path)
    assert state is not None
    assert 0 < state["step"] <= change_at
