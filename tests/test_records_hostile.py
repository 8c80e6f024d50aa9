"""Files beside a record that stop a reader (sparse, growing) or make it forget a failure: they are damaged, at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import published
import pytest
import torch

from cenbench.errors import UserError
from cenbench.files import as_text, sha256_file, write_bytes, write_json, write_sealed, write_text
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.pretrained.catalog import IMAGENET_FILES
from cenbench.pretrained.used import pretrained_sha256
from cenbench.records.failure import DamagedNote, read_failure, write_failure
from cenbench.records.read import read_record
from cenbench.regular_file import read_regular
from cenbench.run.import_checkpoint import read_checkpoint
from cenbench.run.provenance import environment
from cenbench.train.trained import why_not_measured

HUGE_BYTES = 2**43
"""8 TiB, sparse: hours to read, and no space on the disk."""


@pytest.fixture
def place(tmp_path: Path) -> tuple[Plan, Paths, Cell]:
    plan, paths = published.make_root(tmp_path / "root", tiny=True)
    cell = next(iter(plan.cells.values()))
    published.publish(paths, cell)
    assert read_record(paths, cell).state == "ok"
    return plan, paths, cell


def grow(path: Path) -> None:
    try:
        os.truncate(path, HUGE_BYTES)
    except OSError:
        pytest.skip("this file system has no files of 8 TiB")


def test_a_huge_file_of_a_record_is_damaged(place: tuple[Plan, Paths, Cell]) -> None:
    _, paths, cell = place
    names = json.loads(paths.record(cell).read_text())["files"]
    assert names
    for name in names:
        path = paths.cell(cell) / name
        before = path.read_bytes()
        grow(path)
        record = read_record(paths, cell)
        assert record.state == "damaged"
        assert f"{path.name} is too large" in str(record.reason)
        write_bytes(path, before)
    assert read_record(paths, cell).state == "ok"


def test_huge_weights_are_damaged(place: tuple[Plan, Paths, Cell]) -> None:
    _, paths, cell = place
    sha256 = read_record(paths, cell).weights_sha256
    grow(paths.state(cell) / "weights.safetensors")
    assert "too large" in str(why_not_measured(paths.state(cell), cell.training_id, sha256))


def test_huge_pretrained_files_and_checkpoints_are_refused(
    place: tuple[Plan, Paths, Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paths, cell = place
    monkeypatch.setattr("cenbench.pretrained.used.pretrained_files", lambda _: [IMAGENET_FILES[18]])
    huge = paths.weights / IMAGENET_FILES[18]
    write_bytes(huge, b"")
    grow(huge)
    with pytest.raises(UserError, match="too large"):
        pretrained_sha256(cell, paths)
    with pytest.raises(UserError, match="too large"):
        read_checkpoint(huge)
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(UserError, match="a regular file"):
        read_checkpoint(tmp_path / "pipe.pth")


def test_a_file_is_read_up_to_the_size_that_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"before")
    whole, fstat = sha256_file(path), os.fstat

    def growing(handle: int) -> os.stat_result:
        found = fstat(handle)
        with path.open("ab") as file:
            file.write(b"and after")
        return found

    monkeypatch.setattr(os, "fstat", growing)
    monkeypatch.setattr("cenbench.regular_file.stat.S_ISREG", lambda _: True)
    data = read_regular(path, 1000)
    assert data.startswith(b"before")
    assert len(data) < path.stat().st_size
    monkeypatch.setattr(os, "fstat", lambda handle: os.stat_result((0o100644, 0, 0, 1, 0, 0, len("before"), 0, 0, 0)))
    assert sha256_file(path, 1000) == whole


def sealed(**changes: object) -> Callable[[Path, Cell], None]:
    def write(path: Path, cell: Cell) -> None:
        write_sealed(path, {"reason": "x", "cell_id": cell.id, "training_id": cell.training_id} | changes)

    return write


def older(cell_id: object) -> Callable[[Path, Cell], None]:
    return lambda path, cell: write_json(path, {"reason": "x", "cell_id": cell_id})


def changed_digit(path: Path, cell: Cell) -> None:
    write_failure(Paths(path.parents[3]), cell, "non-finite loss")
    other = cell.id[:-1] + ("0" if cell.id[-1] != "0" else "1")
    path.write_text(path.read_text().replace(cell.id, other))


NOTES: dict[str, Callable[[Path, Cell], None]] = {
    "a number": older(5),
    "null": older(None),
    "a list": older([]),
    "an id of another training": older("rgb-to-depth.none.shared-convs.shared-norms.l1-0.32px.s1.0123456789"),
    "a short id": lambda path, cell: older(cell.id[:-1])(path, cell),
    "no hash": lambda path, cell: older(cell.slug)(path, cell),
    "a changed digit": changed_digit,
    "another training": sealed(training_id="other", cell_id="other"),
    "a sealed number": sealed(cell_id=5),
}


@pytest.mark.parametrize("what", NOTES)
def test_a_note_that_names_no_cell_of_the_training_is_damaged(place: tuple[Plan, Paths, Cell], what: str) -> None:
    _, paths, cell = place
    NOTES[what](paths.failure(cell), cell)
    assert isinstance(read_failure(paths, cell), DamagedNote)
    assert read_record(paths, cell).state == "damaged"


def test_notes_count_for_the_cell_they_name(place: tuple[Plan, Paths, Cell]) -> None:
    _, paths, cell = place
    content = cell.model_dump()
    content["evaluation"]["samples"] += 1
    other = Cell.model_validate(content)
    assert (other.id != cell.id, other.training_id) == (True, cell.training_id)
    write_failure(paths, cell, "non-finite loss")
    assert (read_failure(paths, cell), read_failure(paths, other)) == ("non-finite loss", None)
    older(cell.id)(paths.failure(cell), cell)
    assert (read_failure(paths, cell), read_failure(paths, other)) == ("x", None)
    write_json(paths.failure(cell), {"reason": "of a version that named no cell"})
    assert read_failure(paths, cell) == "of a version that named no cell"


def test_text_that_is_not_utf8_is_replaced_or_refused(
    place: tuple[Plan, Paths, Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paths, cell = place
    write_failure(paths, cell, "no such file: caf\udce9")
    assert read_failure(paths, cell) == "no such file: caf?"
    monkeypatch.setattr(sys, "argv", ["cenbench", "run", "--root", "caf\udce9"])
    command = environment(torch.device("cpu"), paths.root)["command"]
    assert as_text(command) == command
    with pytest.raises(UserError, match="not UTF-8"):
        write_text(tmp_path / "page.html", "caf\udce9")
    assert not (tmp_path / "page.html").exists()
