"""Trained cells evaluated under other conditions: numbers, what they are bound to, the pipeline, and every output."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas
import pytest
from checkout import Checkout
from test_evaluate_export import miou_pct
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.data.exposure import scene_exposures
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.evaluate.task import evaluation_of
from cenbench.files import read_sealed, write_sealed
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.matrix.robustness import load_robustness, plan_robustness
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.records.robustness import RobustnessRecord, read_robustness
from cenbench.run.export import export_cell
from cenbench.run.robustness import evaluate_robustness

KEPT = ("results/cells/*/*.*", "results/cells/*/samples/*.png", "results/state/*/*.*", "reports/demo/*.*")


@pytest.fixture(scope="module")
def evaluated_checkout(finished_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished checkout whose cell of `cell_of` is evaluated. Do not change it: use `robust`."""
    root = tmp_path_factory.mktemp("module") / "checkout"
    made = Checkout(Path(shutil.copytree(finished_checkout.root, root, symlinks=True)))
    evaluate(made, cell_of(made))
    return made


@pytest.fixture
def robust(evaluated_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it that the test may change."""
    return Checkout(Path(shutil.copytree(evaluated_checkout.root, tmp_path / "checkout", symlinks=True)))


def cell_of(checkout: Checkout) -> Cell:
    cells = load_plan(checkout.root / "params", "demo").cells.values()
    return next(cell for cell in cells if (cell.task.kind, cell.fusion) == ("segmentation", "exchange"))


def evaluate(checkout: Checkout, cell: Cell) -> RobustnessRecord:
    paths = Paths(checkout.root)
    evaluate_robustness(cell, paths, load_robustness(paths.params), "cpu")
    return read(checkout, cell)


def read(checkout: Checkout, cell: Cell) -> RobustnessRecord:
    paths = Paths(checkout.root)
    return read_robustness(paths, read_record(paths, cell), load_robustness(paths.params).conditions(cell))


def test_scores_are_those_of_the_record_and_of_independent_counts(
    robust: Checkout, finished_checkout: Checkout
) -> None:
    cell, paths = cell_of(robust), Paths(robust.root)
    found = read(robust, cell)
    assert found.state == "ok"
    assert list(found.scores["clean"]) == ["depth", "ensemble", "rgb"]
    assert found.scores["clean"] == read_record(paths, cell).metrics
    assert robust.bytes_of(*KEPT) == finished_checkout.bytes_of(*KEPT), "nothing else changed"
    # With one of two modalities left out, the ensemble is the output of the other.
    for absent, other in (("rgb", "depth"), ("depth", "rgb")):
        assert list(found.scores[f"left_out={absent}"]) == ["ensemble"]
        assert found.scores[f"left_out={absent}"]["ensemble"] == found.scores[f"absent={absent}"][other]
    assert found.scores["absent=depth"]["depth"] != found.scores["clean"]["depth"]
    check_exposures(robust, cell, found)


def check_exposures(finished: Checkout, cell: Cell, found: RobustnessRecord) -> None:
    """Against exported predictions, counted class by class."""
    (folder,) = (path.parent for path in finished.root.glob("data/prepared/*/manifest.json"))
    prepared = Prepared.open(folder)
    export_cell(cell, Paths(finished.root), finished.root / "out", "rgb", "cpu")
    from PIL import Image

    predicted = [np.asarray(Image.open(path)) for path in sorted((finished.root / "out").glob("*.png"))]
    truth = list(prepared.array("semantic")[prepared.indices("val")])
    exposures = scene_exposures(prepared, "val")
    assert exposures is not None
    assert set(exposures) <= {"dark", "normal", "over"}
    seen = {str(exposure) for exposure in exposures}
    assert {key for key in found.scores if key.startswith("exposure")} == {f"exposure={one}" for one in seen}
    for exposure in seen:
        chosen = [number for number, one in enumerate(exposures) if one == exposure]
        counted = miou_pct([predicted[n] for n in chosen], [truth[n] for n in chosen], len(prepared.classes))
        assert found.scores[f"exposure={exposure}"]["rgb"]["miou_pct"] == pytest.approx(counted, abs=1e-9)


def test_exposures_are_those_that_the_scenes_were_rendered_with(finished: Checkout) -> None:
    (folder,) = (path.parent for path in finished.root.glob("data/prepared/*/manifest.json"))
    prepared = Prepared.open(folder)
    exposures = scene_exposures(prepared, "train")
    rows = prepared.indices("train")
    taken = prepared.array("rgb")[rows].mean((1, 2, 3)) / prepared.array("rgb_well_exposed")[rows].mean((1, 2, 3))
    assert exposures is not None
    for exposure, ratio in zip(exposures, taken, strict=True):
        low, high = {"dark": (0.0, 0.5), "normal": (0.7, 1.4), "over": (1.3, 9.0)}[exposure]
        assert low < ratio < high


def test_a_second_run_evaluates_nothing(robust: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = cell_of(robust)
    path = Paths(robust.root).robustness(cell)
    before = path.read_bytes()
    monkeypatch.setattr(evaluation_of(cell), "measure", None)
    assert evaluate(robust, cell).state == "ok"
    assert path.read_bytes() == before


def test_whatever_is_wrong_with_the_file_is_a_state(robust: Checkout) -> None:
    cell = cell_of(robust)
    path = Paths(robust.root).robustness(cell)
    whole, document = path.read_text(), read_sealed(path)
    path.write_text(whole.replace('"miou_pct": ', '"miou_pct": 1', 1))
    assert read(robust, cell).state == "damaged"
    for change in ({"cell_id": "another"}, {"scores": {"clean": {"rgb": {"miou_pct": "high"}}}}, {"format": 2}):
        write_sealed(path, document | change)
        assert read(robust, cell).state == "damaged"
    for text in ("", "{", "[]", "\0"):
        path.write_text(text)
        assert read(robust, cell).state == "damaged"
    path.unlink()
    path.mkdir()
    assert read(robust, cell).state == "damaged"
    path.rmdir()
    assert read(robust, cell).state == "missing"
    for change, words in (
        ({"weights_sha256": "0" * 64}, "other weights"),
        ({"digests": document["digests"] | {"data": "other"}}, "the data changed"),
        ({"conditions": document["conditions"][:2]}, "before darkening=2, absent=rgb"),
    ):
        write_sealed(path, document | change)
        found = read(robust, cell)
        assert (found.state, words in str(found.reason)) == ("stale", True)


def test_new_strengths_are_evaluated_and_a_cell_without_weights_is_a_message(robust: Checkout) -> None:
    cell, paths = cell_of(robust), Paths(robust.root)
    robust.edit("params/robustness.yaml", "[0.5]", "[0.25, 0.5]")
    assert read(robust, cell).state == "stale"
    found = evaluate(robust, cell)
    assert [found.state, "depth_noise=0.25" in found.scores] == ["ok", True]
    shutil.rmtree(paths.state(cell))
    paths.robustness(cell).unlink()
    with pytest.raises(UserError, match="no finished weights"):
        evaluate_robustness(cell, paths, load_robustness(paths.params), "cpu")


def test_snakemake_makes_the_page_and_then_nothing(finished: Checkout) -> None:
    finished.snakemake("robustness")
    assert finished.planned("robustness", "all_tables") == {}, "tables do not depend on it"
    folder = finished.root / "reports" / "demo"
    page, latex = (folder / "robustness.html").read_text(), (folder / "robustness.tex").read_text()
    document = json.loads((folder / "robustness.json").read_text())
    assert document["states"] == {"ok": 2}
    assert [network["name"] for network in document["networks"]] == [
        "none, unshared convs, l1 none",
        "exchange, shared convs, l1 half",
    ]
    for network in document["networks"]:
        assert network["name"] in page
        assert network["name"] in latex
    assert page.count('role="img"') == 2 * 3, "a chart for each of two corruptions of three outputs"
    frame = pandas.read_csv(folder / "robustness.csv")
    assert len(frame) == sum(len(network["scores"]) for network in document["networks"]), "one seed each"
    for network in document["networks"]:
        for score in network["scores"]:
            assert [one["value"] for one in score["cells"]] == [score["mean"]]
            found = frame[(frame["network"] == network["name"]) & (frame["metric"] == score["metric"])]
            found = found[(found["stream"] == score["stream"]) & (found["kind"] == score["condition"]["kind"])]
            assert score["mean"] in found["value"].tolist()
    assert 'href="demo/robustness.html"' in (finished.root / "reports" / "index.html").read_text()
    if shutil.which("pdflatex"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "robustness.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    shown = CliRunner().invoke(app, ["robustness", "--root", str(finished.root)])
    assert "Depth noise" in shown.output
    assert "preset demo: 2 ok" in shown.output
    finished.edit("params/robustness.yaml", "[0.5]", "[0.5, 0.75]")
    assert finished.planned("robustness") == {"cell_robustness": 2, "robustness": 1}
    finished.edit("params/presets/demo.yaml", "theta: 2.0e-2", "theta: 3.0e-2")
    assert finished.planned("robustness") == {"cell": 2, "cell_robustness": 2, "robustness": 1}


def entry(cells: str, tables: str = "table7") -> str:
    return f"presets: {{demo: [{{tables: [{tables}], cells: {{{cells}}}}}]}}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("corruptions: {depth_nois: [1]}", ("corruptions", "did you mean 'depth_noise'?")),
        ("corruptions: {depth_noise: [0.2, 0.1]}", ("strengths must increase",)),
        ("corruptions: {depth_holes: [1.5]}", ("is more than 1, the largest strength",)),
        ("corruptions: {darkening: [-1]}", ("greater than",)),
        ("presets: {dmo: [{tables: [table7]}]}", ("unknown preset", "did you mean 'demo'?")),
        ("presets: {demo: [{tables: [table9]}]}", ("unknown table", "presets.demo[0].tables", "line")),
        ("presets: {demo: [{tables: [table7], cells: {fusion: exchnge}}]}", ("did you mean 'exchange'?",)),
        ("presets: {demo: [{tables: [table7], cells: {fusoin: exchange}}]}", ("did you mean 'fusion'?",)),
        ("absnt: true", ("did you mean 'absent'?",)),
        ("corruptions: {depth_noise: [0.1, 0.1000001]}", ("corruptions", "two strengths are both written 0.1")),
        (entry("settings: {protocol.thetta: 0.5}"), ("cells.settings", "did you mean 'protocol.theta'?")),
        (entry("settings: {protocol.theta: '0.02'}"), ("cells.settings.protocol.theta", "expected: a number")),
        (entry("settings: {protocol.theta: []}"), ("cells.settings", "protocol.theta is an empty list")),
        (entry("l1: half, settings: {l1: none}"), ("cells.settings", "l1 is a key beside `settings:`")),
        (entry("l1: []"), ("cells.l1", "an empty list selects no cell")),
    ],
)
def test_a_mistake_is_reported_with_file_and_key(
    prepared_checkout: Checkout, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    params = Path(shutil.copytree(prepared_checkout.root / "params", tmp_path / "params"))
    (params / "robustness.yaml").write_text(text + "\n")
    with pytest.raises(UserError) as caught:
        plan_robustness(params, load_plan(params, "demo"))
    for word in ("robustness.yaml", *words):
        assert word in str(caught.value)


def test_a_table_that_the_preset_lacks_is_reported_beside_one_that_it_has(
    prepared_checkout: Checkout, tmp_path: Path
) -> None:
    params = Path(shutil.copytree(prepared_checkout.root / "params", tmp_path / "params"))
    (params / "robustness.yaml").write_text(entry("l1: half", "table7, table8"))
    assert plan_robustness(params, load_plan(params, "demo")).cells
    preset = params / "presets" / "demo.yaml"
    preset.write_text(preset.read_text().replace("tables: [table7, table8]", "tables: [table7]"))
    with pytest.raises(UserError, match="not a table of this preset") as caught:
        plan_robustness(params, load_plan(params, "demo"))
    assert (caught.value.found, caught.value.key) == ("table8", "presets.demo[0].tables (line 1)")


def test_without_the_file_nothing_is_evaluated(tmp_path: Path, prepared_checkout: Checkout) -> None:
    params = Path(shutil.copytree(prepared_checkout.root / "params", tmp_path / "params"))
    (params / "robustness.yaml").unlink()
    assert plan_robustness(params, load_plan(params, "demo")).cells == {}
    shown = CliRunner().invoke(app, ["robustness", "--root", str(tmp_path)])
    assert "no cells" in shown.output
    plan = CliRunner().invoke(app, ["plan", "--root", str(tmp_path)])
    assert "declares no cells in params/robustness.yaml" in plan.output


def test_what_robustness_costs_is_planned(prepared_checkout: Checkout) -> None:
    shown = CliRunner().invoke(app, ["plan", "--root", str(prepared_checkout.root)])
    # Two cells: clean, two corruptions, two absent inputs, and two left out; 3 s per cell besides its steps.
    assert "Robustness: 2 cells, 14 evaluations without training; at most 42 s on one worker." in shown.output
