"""Whoever looks while a cell publishes sees the old record, the new one, or none: never half of one, never an error."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cell_pages import shown_alone
from checkout import REPOSITORY
from published import make_root, publish

from cenbench.errors import UserError
from cenbench.files import Guard, write_bytes
from cenbench.matrix.cell import Cell
from cenbench.paths import Paths
from cenbench.records import write
from cenbench.records.read import read_record
from cenbench.report.cell_page import render_cell_page


@pytest.fixture
def place(tmp_path: Path) -> tuple[Paths, Cell]:
    plan, paths = make_root(tmp_path / "root", tiny=True)
    return paths, next(iter(plan.cells.values()))


def test_a_reader_sees_one_record_at_a_time(place: tuple[Paths, Cell]) -> None:
    paths, cell = place
    publish(paths, cell, 0.0)
    errors: list[BaseException] = []

    def republish() -> None:
        try:
            for number in range(1, 16):
                publish(paths, cell, float(number), revision=str(float(number)))
        except BaseException as error:
            errors.append(error)

    seen = set()
    writer = threading.Thread(target=republish)
    writer.start()
    while writer.is_alive():
        record = read_record(paths, cell)
        assert record.state in ("ok", "missing"), record.reason
        if record.state == "ok":
            value = record.metrics["ensemble"]["miou_pct"]
            assert record.provenance.get("revision", "0.0") == str(value)
            assert record.history in ("", f"step,loss\n1,{value}\n"), "its own, or gone since"
            seen.add(value)
        render_cell_page("demo", record, shown_alone(record.cell))
    writer.join()
    assert not errors
    assert read_record(paths, cell).metrics["ensemble"]["miou_pct"] == 15.0
    assert len(seen) > 1, "the test looked while it was published"


def test_a_publication_that_fails_leaves_the_old_record(
    place: tuple[Paths, Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, cell = place
    publish(paths, cell, 1.0)

    def full(path: Path, data: bytes, guard: Guard) -> None:
        if path.name == "000.png":
            raise UserError("no room to write 000.png")
        write_bytes(path, data, guard)

    monkeypatch.setattr(write, "write_bytes", full)
    with pytest.raises(UserError, match="no room"):
        publish(paths, cell, 2.0)
    assert read_record(paths, cell).metrics["ensemble"]["miou_pct"] == 1.0
    monkeypatch.undo()
    publish(paths, cell, 3.0)
    assert read_record(paths, cell).metrics["ensemble"]["miou_pct"] == 3.0
    assert [path.name for path in paths.cells.iterdir()] == [cell.id], "nothing is left of the failed one"


DIE = """
import mmap, os, sys
from pathlib import Path
from cenbench.run.log import log_to_file, log_to_stderr
import logging
log_to_stderr()
log, data, cell = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with log_to_file(log), data.open("r+b") as file:
    logging.getLogger("cenbench").info("cell %s", cell)
    mapped = mmap.mmap(file.fileno(), 0)
    os.truncate(data, 0)
    mapped[5000]
"""


def test_a_bus_error_leaves_the_name_of_the_dataset(place: tuple[Paths, Cell]) -> None:
    """A memory-mapped file that is cut short while it is read ends the process without an exception."""
    paths, cell = place
    publish(paths, cell)
    shutil.rmtree(paths.cell(cell))
    data = paths.root / "rgb.npy"
    data.write_bytes(bytes(10_000))
    command = [sys.executable, "-c", DIE, str(paths.run_log(cell)), str(data), cell.id]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == -7, ended.stderr
    record = read_record(paths, cell)
    assert record.state == "missing"
    assert "bus error" in str(record.reason)
    assert str(paths.data) in str(record.reason)
    assert f"cenbench data verify {cell.dataset.name}" in str(record.reason)
    with paths.run_log(cell).open("a") as log:
        log.write(f"2026-01-01 00:00:00,000 cell {cell.id}\n")
    assert "bus error" not in str(read_record(paths, cell).reason), "a later run was killed otherwise"
