"""Whatever lies in the files that reports are made of, nothing raises: what is damaged is left out and named.

Robustness records, tables, figures and claims that are read back, archives, and the files beside a record: histories
and scaling factors that hold anything, in a record that lists them with their digests.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import math
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from checkout import REPOSITORY, ROBUSTNESS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from published import make_root, publish
from test_records_fuzz import KINDS, VALUES
from test_report_figures import figure_of, finished

from cenbench.errors import UserError
from cenbench.evaluate import per_image
from cenbench.evaluate.per_image import ConfusionCollector
from cenbench.evaluate.samples import side_by_side
from cenbench.files import digest, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_pairs import plan_claims
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.robustness import RobustnessPlan, plan_robustness
from cenbench.paths import Paths
from cenbench.records.gammas import NoGammas, gamma_numbers, read_gammas
from cenbench.records.read import CellRecord, read_record
from cenbench.records.robustness import State, read_robustness, write_robustness
from cenbench.report.claim_images import image_intervals
from cenbench.report.curves import read_history, training_charts
from cenbench.report.index import write_index
from cenbench.report.render_robustness import render_robustness_html, render_robustness_json
from cenbench.report.robustness import build_robustness
from cenbench.report.scenes import scenes
from cenbench.report.table import build_table
from cenbench.run.share import export_results, import_results
from cenbench.train.gamma_file import Gammas, LayerGammas, to_bytes

FUZZED = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(REPOSITORY / "params", "demo")


def changed(document: Any, data: st.DataObject) -> None:
    """Replace one value of the document, at any depth."""
    while True:
        key = data.draw(st.sampled_from(sorted(document) if isinstance(document, dict) else range(len(document))))
        if not (isinstance(document[key], dict | list) and document[key] and data.draw(st.booleans())):
            break
        document = document[key]
    document[key] = data.draw(VALUES | st.sampled_from([1e308, -1e308, 5e-324]))


# ---------------------------------------------------------------- robustness records


@dataclass(frozen=True)
class Evaluated:
    """Two seeds of finished cells, each with its robustness record."""

    plan: Plan
    paths: Paths
    planned: RobustnessPlan

    @property
    def path(self) -> Path:
        return self.paths.robustness(next(iter(self.planned.cells.values())))

    def look(self) -> list[str]:
        """Read and render everything; returns the states."""
        records = {
            cell_id: read_robustness(self.paths, read_record(self.paths, cell), self.planned.spec.conditions(cell))
            for cell_id, cell in self.planned.cells.items()
        }
        found = build_robustness(self.plan, self.planned, records)
        render_robustness_html(found)
        json.dumps(render_robustness_json(found), allow_nan=False)
        assert all(record.state == "ok" or record.reason for record in records.values())
        return [record.state for record in records.values()]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    root = tmp_path_factory.mktemp("robustness") / "root"
    plan, paths = make_root(root, tiny=True)
    preset = root / "params" / "presets" / "demo.yaml"
    preset.write_text(preset.read_text().replace("seeds: [1]", "seeds: [1, 2]"))
    (root / "params" / "robustness.yaml").write_text(ROBUSTNESS)
    plan = load_plan(root / "params", "demo")
    planned = plan_robustness(paths.params, plan)
    for cell in planned.cells.values():
        publish(paths, cell, float(cell.seed))
        weights = str(read_record(paths, cell).weights_sha256)
        conditions = planned.spec.conditions(cell)
        scores = {one.key: {stream: {"miou_pct": 1.0} for stream in cell.streams} for one in conditions}
        write_robustness(cell, paths, weights, conditions, scores)
    found = Evaluated(plan, paths, planned)
    assert set(found.look()) == {"ok"}
    return found


def test_what_is_no_robustness_record_is_damaged_and_named(evaluated: Evaluated) -> None:
    good = evaluated.path.read_bytes()
    for content in KINDS.values():
        evaluated.path.write_bytes(content)
        assert evaluated.look()[0] == "damaged"
    evaluated.path.write_bytes(good)


@FUZZED
@given(data=st.data())
def test_no_value_of_a_robustness_record_stops_looking(evaluated: Evaluated, data: st.DataObject) -> None:
    good = evaluated.path.read_bytes()
    document = json.loads(good)
    document.pop("sha256")
    changed(document, data)
    write_json(evaluated.path, {**document, "sha256": digest(document)})
    try:
        assert set(evaluated.look()) <= set(get_args(State))
    finally:
        evaluated.path.write_bytes(good)


# ---------------------------------------------------------------- tables, figures and claims that are read back

RENDERED = {
    "table7": {
        "format": 2,
        "table": "table7",
        "title": "t",
        "columns": ["c"],
        "rows": [{"group": None, "labels": ["r"]}],
        "states": {"ok": 1},
        "protocol": ["p"],
        "card": {"finding": "f", "progress": "1 of 1", "dataset": "d", "device": "", "picture": ""},
        "entries": [
            {
                "row": 0,
                "column": 0,
                "values": [{"metric": "miou_pct", "paper": 1.0, "ours": 2.0, "verdict": {"word": "agrees"}}],
            }
        ],
    },
    "figure5": {"format": 1, "figure": "figure5", "title": "f", "states": {"ok": 2, "failed": 1}},
    "claims": {
        "format": 1,
        "words": {"holds": 2, "open": 1},
        "claims": [
            {
                **{"text": "A is better.", "metric": "miou_pct", "stream": "rgb", "word": "holds", "margin": 1.0},
                "comparison": {"effect": 2.0, "interval": [1.0, 3.0]},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


def index_with(reports: Path, name: str, content: bytes) -> str:
    """The index of a preset with one damaged file among the three."""
    for other, document in RENDERED.items():
        write_json(reports / "demo" / f"{other}.json", document)
        (reports / "demo" / f"{other}.html").touch()
    (reports / "demo" / f"{name}.json").write_bytes(content)
    write_index(reports)
    return (reports / "index.html").read_text()


@pytest.mark.parametrize("name", RENDERED)
def test_a_damaged_file_is_left_out_of_the_index(reports: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    link = f"demo/{name}.html"
    assert link in index_with(reports, name, json.dumps(RENDERED[name]).encode())
    for content in KINDS.values():
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert link not in index_with(reports, name, content)
        assert name == "claims" or f"{name}.json is damaged" in caplog.text


@pytest.mark.parametrize("name", RENDERED)
def test_a_file_of_another_preset_is_left_out_of_the_index(reports: Path, name: str) -> None:
    for preset, shown in (("demo", True), ("study", False)):
        page = index_with(reports, name, json.dumps(RENDERED[name] | {"preset": preset}).encode())
        assert (f"demo/{name}.html" in page) == shown


@pytest.mark.parametrize(("name", "key", "copied"), [("table7", "table", "table8"), ("figure5", "figure", "figure4")])
def test_a_copy_under_another_name_is_left_out_of_the_index(
    tmp_path: Path, name: str, key: str, copied: str, caplog: pytest.LogCaptureFixture
) -> None:
    index_with(tmp_path, name, json.dumps(RENDERED[name]).encode())
    shutil.copy(tmp_path / "demo" / f"{name}.json", tmp_path / "demo" / f"{copied}.json")
    write_index(tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.count(f'href="demo/{name}.html"') == 1
    assert f"demo/{copied}.html" not in page
    assert f"{copied}.json is damaged and left out of the index (it holds '{name}' of preset 'demo')" in caplog.text
    write_json(tmp_path / "demo" / f"{copied}.json", RENDERED[name] | {key: copied})
    write_index(tmp_path)
    assert f"demo/{copied}.html" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("name", RENDERED)
@FUZZED
@given(data=st.data())
def test_no_value_stops_the_index(reports: Path, name: str, data: st.DataObject) -> None:
    document = json.loads(json.dumps(RENDERED[name]))
    changed(document, data)
    index_with(reports, name, json.dumps(document).encode())


# ---------------------------------------------------------------- archives


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    root = tmp_path_factory.mktemp("exported")
    plan, paths = make_root(root / "here", tiny=True)
    for cell in plan.cells.values():
        publish(paths, cell)
    export_results(plan, paths, root / "all.tar")
    return plan, root / "all.tar"


def test_whatever_an_archive_holds_it_is_refused_or_what_is_whole_is_imported(
    exported: tuple[Plan, Path], tmp_path: Path
) -> None:
    """Every member of a result in turn holds something else: the cells it belongs to are rejected with a reason, no
    other is. The params beside them are not read: those of the checkout count.
    """
    plan, archive = exported
    with tarfile.open(archive) as packed:
        members = {info.name: packed.extractfile(info).read() for info in packed}
    params = [name for name in members if name.startswith("params/")]
    for place, name in enumerate([*params[:1], *(name for name in members if name not in params)]):
        content = list(KINDS.values())[place % len(KINDS)]
        _, there = make_root(tmp_path / str(place), tiny=True)
        with tarfile.open(tmp_path / "changed.tar", "w") as packed:
            for other, data in members.items():
                info = tarfile.TarInfo(other)
                info.size = len(content if other == name else data)
                packed.addfile(info, io.BytesIO(content if other == name else data))
        found = import_results(plan, there, tmp_path / "changed.tar")
        assert bool(found.rejected) != (name in params), name
        assert set(found.rejected) | set(found.imported) == set(plan.cells)
        assert all(name.split("/")[2] in (cell_id, plan.cell(cell_id).training_id) for cell_id in found.rejected)
        assert all(found.rejected.values())


def test_what_is_no_archive_is_refused_and_named(exported: tuple[Plan, Path], tmp_path: Path) -> None:
    plan, archive = exported
    whole = archive.read_bytes()
    _, there = make_root(tmp_path / "there", tiny=True)
    file = tmp_path / "some.tar"
    for content in (*KINDS.values(), whole[:700], whole[:-4000], b"\x1f\x8b" + whole[:500], b"BZh9" + whole[:500]):
        file.write_bytes(content)
        try:
            assert not import_results(plan, there, file).imported or content == whole[:-4000]
        except UserError as error:
            assert error.where == file
        assert not list(there.results.glob(".import-*"))


# ---------------------------------------------------------------- files beside a record

HISTORIES = {
    "not UTF-8": b"\xff\xfe",
    "only a head": b"step,l1\n",
    "rows of other lengths": b"step,l1\n1\n2,3,4\n",
    "words": b"step,l1\na,b\n",
    "NaN": b"step,l1\n1,nan\n",
    "infinity": b"step,l1\n1,inf\n",
    "larger than a float32": b"step,l1\n1,1e300\n",
    "no steps": b"l1\n1\n",
    "a column twice": b"step,l1,l1\n1,2,3\n",
    "a long field": b"step,l1\n1," + b"1" * 200_000 + b"\n",
    "a quote that never ends": b'step,"l1\n1,2\n',
}


@pytest.mark.parametrize("kind", HISTORIES)
def test_what_is_no_history_is_none(kind: str) -> None:
    text = HISTORIES[kind].decode(errors="replace")
    assert read_history(text) == {}
    assert training_charts(read_history(text)) == []


@pytest.mark.parametrize("values", ["0,0", "5e-324,5e-324", "1e38,-1e38", "-7,-7", "1e15,1.000000000000001e15"])
def test_a_history_of_extreme_numbers_is_drawn(values: str) -> None:
    first, second = values.split(",")
    assert len(training_charts(read_history(f"step,l1\n-5,{first}\n-7,{second}\n"))) == 1


@FUZZED
@given(st.lists(st.lists(st.floats() | st.text(max_size=3), max_size=3), max_size=4), st.sampled_from(["step", "l1"]))
def test_any_rows_are_read_or_are_none(rows: list[list[float | str]], head: str) -> None:
    text = "\n".join([f"step,{head}", *(",".join(map(str, row)) for row in rows)])
    for values in read_history(text).values():
        assert all(math.isfinite(value) for value in values)
    training_charts(read_history(text))


def gammas(T: int = 2, M: int = 2, channels: int = 2, *, traced: bool = True, value: float = 1.0) -> bytes:
    """A file of T points, M modalities and one layer."""
    share_TM, tenths_TMD = np.zeros((T, M), np.float32), np.zeros((T, M, 10), np.float32)
    path_TMC = np.full((T, M, channels), value, np.float32)
    final_MC, deciles_TMD = np.full((M, channels), value, np.float32), tenths_TMD[..., 1:]
    layer = LayerGammas(True, final_MC, share_TM, share_TM, share_TM, deciles_TMD, path_TMC if traced else None)
    return to_bytes(Gammas(0.02, 2e-4, np.arange(1, T + 1), {"norm": layer}, tenths_TMD, tenths_TMD))


FACTORS = {
    "nothing": b"",
    "no points": gammas(T=0),
    "one point": gammas(T=1),
    "no channels": gammas(channels=0),
    "one channel": gammas(channels=1),
    "three modalities": gammas(M=3),
    "no traced layer": gammas(traced=False),
    "zeros": gammas(value=0.0),
    "the largest float32": gammas(value=3e38),
}


@pytest.mark.parametrize("kind", FACTORS)
def test_no_scaling_factors_stop_a_figure_or_a_metric(demo: Plan, tmp_path: Path, kind: str) -> None:
    """In every figure that shows them, and in the metrics that are computed from them."""
    files = {"gammas.safetensors": FACTORS[kind]}
    for name in ("figure4", "figure5", "figure-exchange"):
        figure = figure_of(demo, name, lambda cell: finished(cell, tmp_path, files=files))
        assert all(np.isfinite(line["y"]) for line in figure.lines() if line["y"] is not None)
    cell = demo.figure("figure5").cells[0]
    record = finished(cell, tmp_path, files=files)
    numbers = gamma_numbers(record, cell.streams[-1])
    assert all(map(math.isfinite, numbers.values()))
    if kind in ("nothing", "no channels", "three modalities", "no traced layer"):
        assert isinstance(read_gammas(record), NoGammas)


def test_claims_are_judged_whatever_the_images_hold(tmp_path: Path) -> None:
    """One test image, no labelled pixel, one class or none: then there is no interval over images, or a finite one."""
    plan = load_plan(REPOSITORY / "params", "study")
    claim = next(claim for claim in plan_claims(REPOSITORY / "params", plan) if claim.spec.metric == "miou_pct")
    streams = claim.cells[0].streams
    for classes, images, pixels in itertools.product((0, 1, 3), (0, 1, 5), (0, 1)):
        collector = ConfusionCollector(streams, classes)
        collector.add(np.full((images, len(streams), classes, classes), pixels))
        files = {"per_image.safetensors": per_image.to_bytes(collector.collected())}
        records = {cell.id: finished(cell, tmp_path, files=files) for cell in claim.cells}
        intervals = image_intervals(claim, records)
        known = [interval for interval in (intervals.claim, *intervals.settings) if interval] if intervals else []
        assert all(map(math.isfinite, itertools.chain(*known)))
        assert classes * pixels * images == 0 or len(known) == 1 + len(claim.settings)


STRANGE = ["a-", "-1", "dark-x", "dark-\N{SUPERSCRIPT TWO}", "dark--3", "dark-99999999999999999999", "dark-0999"]


@pytest.mark.parametrize("name", STRANGE)
def test_no_sample_picture_stops_a_figure_or_a_table(demo: Plan, tmp_path: Path, name: str) -> None:
    """Of any name, and of another size in each cell."""

    def record(cell: Cell) -> CellRecord:
        side = 32 + len(cell.fusion) + len(cell.l1)
        tiles = [np.zeros((side, side, 3), np.uint8)] * (len(cell.task.inputs) + 1 + len(cell.streams))
        files = {f"samples/{name}.png": side_by_side(tiles), "samples/000.png": side_by_side(tiles)}
        return finished(cell, tmp_path, files=files)

    figure_of(demo, "figure6", record)
    records = {cell.id: record(cell) for cell in demo.table("table7").cells}
    scenes(build_table("demo", demo.table("table7"), records), records)
