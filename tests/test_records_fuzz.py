"""Whatever lies in a file that this program wrote, looking never raises: the file is a state or an error naming it.

Every file is replaced by bytes of many kinds, by its own document with one value changed (and sealed again), by a
folder, a pipe and a link to itself, and is made unreadable; then everything that looks at results looks at it.
"""

from __future__ import annotations

import io
import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from published import make_root, publish
from refusing_files import closed
from rich.console import Console

from cenbench.errors import UserError
from cenbench.evaluate.export import NOTE
from cenbench.evaluate.export import _begin as begin_export
from cenbench.files import digest, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths, record_target
from cenbench.records import digests
from cenbench.records.failure import read_failure
from cenbench.records.per_image import read_per_image
from cenbench.records.read import State, read_record
from cenbench.regular_file import Unreadable
from cenbench.report.cell_context import context_of
from cenbench.report.cell_page import render_cell_page
from cenbench.report.pages import render_index, render_pages
from cenbench.report.table import build_table
from cenbench.report.terminal_status import render_status
from cenbench.report.terminal_table import render_terminal
from cenbench.run.heartbeat import Beat
from cenbench.schedule.dag import Dag
from cenbench.schedule.remaining_cost import left_words
from cenbench.schedule.status import Activity, plan_status, status_document
from cenbench.schedule.step_times import read_step_times
from cenbench.sha256_cache import cached_sha256
from cenbench.train.trained import found_import, open_finished

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["NaN", "inf", "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cell_id", "file", "a"]), inner),
    max_leaves=5,
)
KINDS = {
    "empty": b"",
    "a list": b"[]",
    "a number": b"7",
    "an empty object": b"{}",
    "null": b"null",
    "NaN": b'{"format": NaN}',
    "infinity": b'{"format": Infinity, "updated": -Infinity}',
    "an overflow": b'{"trained_steps": 1e999}',
    "5,000 digits": b'{"format": ' + b"9" * 5000 + b"}",
    "a deep list": b"[" * 100_000,
    "a deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "a lone surrogate": b'{"reason": "\\ud800", "cell_id": "\\udfff"}',
    "not UTF-8": b'\xff\xfe{"a": 1}',
    "zeros": b"\0" * 500,
}


@dataclass(frozen=True, repr=False)
class Place:
    """A folder with two finished cells, a report, and one of every other file."""

    plan: Plan
    paths: Paths
    cell: Cell

    def look(self) -> None:
        """What `status`, `show`, `report`, `results`, `plan` and the Snakefile read; nothing in it may raise."""
        digests.data_digest.cache_clear()  # kept for the life of a process
        plan, paths, cell = self.plan, self.paths, self.cell
        records = {cell_id: read_record(paths, cell) for cell_id, cell in plan.cells.items()}
        for record in records.values():
            assert record.state in get_args(State)
            assert record.state == "ok" or record.reason
        assert read_per_image(records[cell.id]) is not None
        cells = plan_status(plan, paths, time.time())
        assert {cell.state for cell in cells} <= set(get_args(Activity))
        shown = Console(width=150, file=io.StringIO())
        shown.print(render_status(plan, cells, left_words(plan, paths, cells)))
        shown.print(render_terminal(build_table("demo", plan.table("table7"), records), 150))
        read_failure(paths, cell)
        json.dumps(status_document(plan, cells, time.time()), allow_nan=False)
        render_cell_page("demo", records[cell.id], context_of(plan, cell))
        render_index(plan, ["table7"], paths.reports)
        read_step_times(plan, paths)
        found_import(paths.state(cell))
        with suppress(Unreadable):  # it ends the run: weights that cannot be read are not trained again
            open_finished(paths.state(cell), {"training_id": cell.training_id})
        assert len(cached_sha256(paths.root / "a" / "b", paths.verified)) == 64
        dag = Dag(plan, paths, ("table7",), "")
        assert dag.depends_on(SimpleNamespace(cell=cell.id))

    def files(self) -> dict[str, Path]:
        """Every file that is read in `look`."""
        paths, cell = self.paths, self.cell
        note = urlsafe_b64encode(record_target(cell).encode()).decode()
        longest = 254
        *folders, last = (note[start : start + longest] for start in range(0, len(note), longest))
        submitted = (paths.root / ".snakemake" / "incomplete").joinpath(*(f"@{part}" for part in folders), last)
        return {
            "metrics": paths.record(cell),
            "provenance": paths.provenance(cell),
            "history": paths.cell(cell) / "history.csv",
            "per-image scores": paths.cell(cell) / "per_image.safetensors",
            "scaling factors": paths.cell(cell) / "gammas.safetensors",
            "sample": paths.cell(cell) / "samples" / "000.png",
            "training note": paths.state(cell) / "finished.json",
            "training history": paths.state(cell) / "history.csv",
            "weights": paths.state(cell) / "weights.safetensors",
            "failure": paths.failure(cell),
            "heartbeat": paths.state(cell) / "heartbeat.json",
            "log": paths.log(cell),
            "manifest": paths.data / dataset_key(cell.dataset) / "manifest.json",
            "digest note": paths.verified / "a.b.json",
            "submitted job": submitted,
            "table": paths.reports / "demo" / "table7.json",
        }


JSON_FILES = (
    "metrics",
    "provenance",
    "training note",
    "failure",
    "heartbeat",
    "manifest",
    "digest note",
    "submitted job",
    "table",
)
SIDE_FILES = ("history", "per-image scores", "scaling factors", "sample")
FILES = (*JSON_FILES, *SIDE_FILES, "training history", "weights", "log")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Place:
    plan, paths = make_root(tmp_path_factory.mktemp("fuzz") / "root", tiny=True)
    one, other, _ = plan.cells.values()
    publish(paths, one, 1.0)
    publish(paths, other, 2.0)
    place = Place(plan, paths, one)
    files = place.files()
    records = {cell_id: read_record(paths, cell) for cell_id, cell in plan.cells.items()}
    assert [record.state for record in records.values()] == ["ok", "ok", "missing"]
    render_pages(plan, records, paths.reports, tables=["table7"])
    beat = Beat(one.id, "training", "elsewhere", "elsewhere", 1, None, 0.0, 0.0, 0.0, 1, 8, 2.0, 3.5)
    (paths.root / "a").mkdir()
    (paths.root / "a" / "b").write_bytes(b"large")
    cached_sha256(paths.root / "a" / "b", paths.verified)
    for name, document in (
        ("heartbeat", {**asdict(beat), "cell_id": one.id}),
        ("submitted job", {"external_jobid": "7"}),
        ("failure", {"reason": "why", "cell_id": f"{one.id.rpartition('.')[0]}.{'0' * 10}"}),  # of equal training
    ):
        write_json(files[name], document)
    files["log"].parent.mkdir(parents=True)
    files["log"].write_text("a line\n")
    assert sorted(files) == sorted(FILES)
    assert all(path.is_file() for path in files.values())
    place.look()
    return place


@pytest.fixture
def place(origin: Place) -> Iterator[Place]:
    """The files are as they were again after the test."""
    good = {path: path.read_bytes() for path in origin.files().values()}
    yield origin
    for path, data in good.items():
        put(path, data)


def put(path: Path, data: bytes) -> None:
    """Write the bytes, whatever is in their place."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_no_content_of_a_file_stops_looking(place: Place, name: str) -> None:
    for content in KINDS.values():
        put(place.files()[name], content)
        place.look()


@pytest.mark.parametrize("name", FILES)
def test_nothing_in_place_of_a_file_stops_looking(place: Place, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.files()[name]
    with closed(path, monkeypatch):
        place.look()
    path.unlink()
    place.look()
    path.unlink(missing_ok=True)  # notes and pages are made again
    path.mkdir()
    place.look()
    path.rmdir()
    path.symlink_to(path.name)
    place.look()
    path.unlink()
    os.mkfifo(path)
    place.look()
    put(path, b"")


@pytest.mark.parametrize("name", JSON_FILES)
@settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_changed_value_stops_looking(place: Place, name: str, data: st.DataObject) -> None:
    """One value of the document is another one; where it was sealed, it is sealed again."""
    path = place.files()[name]
    good = path.read_bytes()
    document = json.loads(good)
    sealed = document.pop("sha256", None) if name in ("metrics", "provenance") else None
    holder: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not (isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans())):
            break
        holder = holder[key]
    holder[key] = data.draw(VALUES)
    if sealed is not None:
        document["sha256"] = digest(document)
    write_json(path, document)
    try:
        place.look()
    finally:
        put(path, good)


@pytest.mark.parametrize("name", ["metrics", "provenance", *SIDE_FILES, "failure"])
def test_a_record_with_such_a_file_is_damaged_and_names_it(place: Place, name: str) -> None:
    path = place.files()[name]
    for content in KINDS.values():
        put(path, content)
        record = read_record(place.paths, place.cell)
        assert record.state == "damaged"
        assert str(path) in str(record.reason)
        assert "fix" in str(record.reason)


def test_a_note_of_predictions_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    for content in (*KINDS.values(), b'{"cell_id": ["other"]}'):
        (tmp_path / NOTE).write_bytes(content)
        with pytest.raises(UserError) as caught:
            begin_export(tmp_path, {"cell_id": "a"})
        assert caught.value.where == tmp_path / NOTE
