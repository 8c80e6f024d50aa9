"""The digest of a large file is computed once per version of the file, also by processes that ask at once."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from cenbench import sha256_cache
from cenbench.files import sha256_file
from cenbench.sha256_cache import cached_sha256


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every read of a whole file, each made slow enough that others would begin theirs."""
    found: list[Path] = []

    def slow(path: Path) -> str:
        found.append(path)
        time.sleep(0.05)
        return sha256_file(path)

    monkeypatch.setattr(sha256_cache, "sha256_file", slow)
    return found


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path: Path, reads: list[Path]) -> None:
    path, notes = tmp_path / "a.bin", tmp_path / "notes"
    path.write_bytes(b"one")
    assert [cached_sha256(path, notes) for _ in range(3)] == [sha256(b"one").hexdigest()] * 3
    assert len(reads) == 1
    stat = path.stat()
    path.write_bytes(b"two")  # as long as before, and with the old mtime: only the ctime differs
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert cached_sha256(path, notes) == sha256(b"two").hexdigest()
    assert len(reads) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sha256": "0"}', '{"state": [1]}'])
def test_a_damaged_note_is_replaced(tmp_path: Path, reads: list[Path], text: str) -> None:
    path, notes = tmp_path / "a.bin", tmp_path / "notes"
    path.write_bytes(b"x")
    cached_sha256(path, notes)
    (note,) = notes.glob("*.json")
    note.write_text(text)
    assert [cached_sha256(path, notes) for _ in range(2)] == [sha256(b"x").hexdigest()] * 2
    assert len(reads) == 2


def test_files_of_one_name_in_two_folders_do_not_evict_each_other(tmp_path: Path, reads: list[Path]) -> None:
    paths = [tmp_path / folder / "rgb.npy" for folder in ("small", "large")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode())
    for _ in range(2):
        found = [cached_sha256(path, tmp_path / "notes") for path in paths]
        assert found == [sha256(name).hexdigest() for name in (b"small", b"large")]
    assert len(reads) == 2


def test_those_that_ask_at_once_wait_for_the_first(tmp_path: Path, reads: list[Path]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    start = threading.Barrier(6)

    def ask(_: int) -> str:
        start.wait()
        return cached_sha256(path, tmp_path / "notes")

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(6))) == {sha256(b"x").hexdigest()}
    assert len(reads) == 1


def test_without_a_place_for_notes_the_file_is_read_each_time(tmp_path: Path, reads: list[Path]) -> None:
    """A file stands where the folder should be: root, as whom tests may run, can write into any folder."""
    path, notes = tmp_path / "a.bin", tmp_path / "notes"
    path.write_bytes(b"x")
    notes.write_text("not a folder")
    for count in (1, 2):
        assert cached_sha256(path, notes) == sha256(b"x").hexdigest()
        assert len(reads) == count


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, notes = tmp_path / "a.bin", tmp_path / "notes"
    path.write_bytes(b"before")

    def changed_behind(read: Path) -> str:
        found = sha256_file(read)
        read.write_bytes(b"after it was read")
        return found

    monkeypatch.setattr(sha256_cache, "sha256_file", changed_behind)
    assert cached_sha256(path, notes) == sha256(b"before").hexdigest()
    monkeypatch.setattr(sha256_cache, "sha256_file", sha256_file)
    assert cached_sha256(path, notes) == sha256(b"after it was read").hexdigest()
