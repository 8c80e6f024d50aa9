"""Rendering that is killed, started twice or out of space loses nothing; the same command gives the same bytes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import Checkout

from cenbench.data import adapters, shards
from cenbench.data.prepared import Prepared
from cenbench.data.synthrooms.prepare import prepare_synthrooms
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec, dataset_key

SPEC = DatasetSpec(name="synthrooms", size_px=32, train_scenes=14, val_scenes=4, seed=1)
"""Three shards: 8, 8 and 2 scenes."""
KEY = dataset_key(SPEC)
PREPARE = ("python", "-m", "cenbench", "data", "prepare", "synthrooms", "--workers", "2")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """File -> bytes of an undisturbed preparation by one process."""
    return contents(adapters.prepare(SPEC, tmp_path_factory.mktemp("undisturbed"), 1, False))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def running(group: int) -> list[int]:
    """Processes of a group, zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has ended
        if int(process_group) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def test_another_preparation_waits_and_continues_after_kill_9(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """Such as that of a controller started again, while the preparation of the killed one is still at work."""
    checkout = Checkout.make(tmp_path / "checkout")
    checkout.edit("params/presets/demo.yaml", "train_scenes: 8", "train_scenes: 14")
    data = checkout.root / "data/prepared"
    process = waiting = checkout.start(*PREPARE)
    try:
        wait_for(lambda: list(data.glob("*.partial/scenes-*.npz")))
        os.killpg(process.pid, signal.SIGSTOP)
        waiting = checkout.start(*PREPARE)
        assert waiting.stdout is not None
        words = waiting.stdout.readline()
        assert f"waiting for dataset {KEY}: process {process.pid} on " in words
        assert f"is stopped; resume it with kill -CONT {process.pid}" in words
        assert not (data / KEY).exists(), "it must be killed before it is done"
        process.kill()
        os.killpg(process.pid, signal.SIGCONT)
        wait_for(lambda: not running(process.pid), seconds=20)
        output, _ = waiting.communicate(timeout=100)
        assert waiting.returncode == 0, output
    finally:
        for group in (process, waiting):
            if running(group.pid):
                os.killpg(group.pid, signal.SIGKILL)
        process.communicate()
    assert f"{KEY}: 0 of 18 scenes" not in output, "shards of the killed process are reused"
    assert contents(data / KEY) == expected
    assert sorted(path.name for path in data.iterdir()) == [KEY, f"{KEY}.lock"]


DIE = """
import os, shutil, signal, sys
from pathlib import Path
from cenbench.data import adapters
from cenbench.matrix.specs import DatasetSpec

root, spec, at = Path(sys.argv[1]), DatasetSpec.model_validate_json(sys.argv[2]), sys.argv[3]
replace, rmtree = Path.replace, shutil.rmtree

def die():
    os.kill(os.getpid(), signal.SIGKILL)

Path.replace = lambda path, target: die() if Path(target).name == at else replace(path, target)
shutil.rmtree = lambda path, **how: die() if at == "removal" else rmtree(path, **how)
adapters.prepare(spec, root, 1, False)
"""


def test_kill_9_just_before_any_write_is_recovered_from(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """Killed repeatedly in one folder: between shards, while joining, before the manifest, before the cleanup."""
    folder = tmp_path / KEY
    for at in ("scenes-000008.npz", "rgb.npy", "normal.npy", "semantic.npy", "manifest.json", "removal"):
        command = [sys.executable, "-c", DIE, str(tmp_path), SPEC.model_dump_json(), at]
        died = subprocess.run(command, capture_output=True, check=False, text=True)
        assert died.returncode == -signal.SIGKILL, died.stderr
        complete = at == "removal"
        assert (folder / "manifest.json").exists() == complete, f"killed at {at}"
        if not complete:
            with pytest.raises(UserError, match="not prepared"):
                Prepared.open(folder)
    assert Prepared.open(adapters.prepare(SPEC, tmp_path, 1, False)).indices("val").tolist() == [14, 15, 16, 17]
    assert contents(folder) == expected, "no half-written file stays behind"
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEY, f"{KEY}.lock"]


@contextmanager
def room_for_files_of(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes fail as on a full disk, in worker processes too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def full_disk(root: Path, workers: int = 1) -> UserError:
    """Prepare on a full disk and return the error, which states the fix."""
    with pytest.raises(UserError, match="no room to write") as caught:
        adapters.prepare(SPEC, root, workers, False)
    assert "rerun the command" in str(caught.value.fix)
    assert not (root / KEY / "manifest.json").exists()
    assert not list(root.rglob("*.tmp")), "unfinished files are removed"
    return caught.value


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_while_writing_a_shard(workers: int, tmp_path: Path, expected: dict[str, bytes]) -> None:
    """A shard of 8 scenes takes 131 kB, one of 2 scenes 33 kB."""
    with room_for_files_of(100_000):
        error = full_disk(tmp_path, workers)
    assert Path(str(error.where)).name in ("scenes-000000.npz", "scenes-000008.npz")
    assert contents(adapters.prepare(SPEC, tmp_path, workers, False)) == expected


def test_a_full_disk_at_any_write_while_joining(
    tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills while each file in turn is written, and while it is synced."""
    folder, sync = tmp_path / KEY, os.fsync

    def fill_at(name: str) -> Callable[[int], None]:
        def fsync(handle: int) -> None:
            if Path(f"/proc/self/fd/{handle}").readlink().name.startswith(f".{name}."):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        return fsync

    names = ["scenes-000016.npz", *sorted(set(expected) - {"manifest.json"}), "manifest.json"]
    for name in names:
        monkeypatch.setattr(os, "fsync", fill_at(name))
        assert Path(str(full_disk(tmp_path).where)).name == name
    monkeypatch.undo()
    with room_for_files_of(50_000):  # rgb takes 55 kB
        assert Path(str(full_disk(tmp_path).where)).name == "rgb.npy"
    assert contents(adapters.prepare(SPEC, tmp_path, 1, False)) == expected
    assert not folder.with_name(f"{KEY}.partial").exists()


def test_a_finished_dataset_is_not_made_again(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """Neither by the next command nor by one that waited for the first."""
    folder = tmp_path / KEY
    folder.mkdir()
    for name, data in expected.items():
        (folder / name).write_bytes(data)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    shutil.copytree(folder, tmp_path / f"{KEY}.partial")
    for made in (adapters.prepare(SPEC, tmp_path, 1, False), prepare_synthrooms(SPEC, tmp_path, 1, False)):
        assert made == folder
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    assert not (tmp_path / f"{KEY}.partial").exists()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped bit": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another file": lambda path: path.write_bytes(b"<html>404</html>"),
    "an array missing": lambda path: np.savez(path, rgb=np.zeros((8, 32, 32, 3), np.uint8)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_shard_of_an_interrupted_preparation_is_made_again(
    tmp_path: Path,
    expected: dict[str, bytes],
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [sys.executable, "-c", DIE, str(tmp_path), SPEC.model_dump_json(), "rgb.npy"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    shard = tmp_path / f"{KEY}.partial" / "scenes-000008.npz"
    DAMAGE[kind](shard)
    made: list[Path] = []
    make = shards.make_shard
    monkeypatch.setattr(shards, "make_shard", lambda *job: (made.append(job[-1]), make(*job))[1])
    assert contents(adapters.prepare(SPEC, tmp_path, 1, False)) == expected
    assert f"{shard} is damaged: its scenes are made again" in capsys.readouterr().err
    assert made == [shard], "the other shards are reused"


def test_a_disk_that_damages_every_shard_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = shards.make_shard

    def damaged(*job: Any) -> list[UserError]:
        problems = make(*job)
        flip(job[-1])
        return problems

    monkeypatch.setattr(shards, "make_shard", damaged)
    with pytest.raises(UserError, match=r"damaged although they were just written: scenes-000000\.npz, scenes-000008"):
        adapters.prepare(SPEC, tmp_path, 1, False)
    assert not (tmp_path / KEY / "manifest.json").exists()
