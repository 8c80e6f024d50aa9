"""Two of anything are compared over equal seeds: what differs, what moved, and by a word that noise does not get."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import REPOSITORY
from published import make_root, publish
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner
from versioned import commit, put_under_version

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.evaluate.per_image import ConfusionCollector, to_bytes
from cenbench.files import sha256_bytes
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.paths import Paths
from cenbench.records.saved import SavedRecord
from cenbench.report.comparison import SideComparison, build_comparison
from cenbench.report.read_sides import row_cells
from cenbench.report.render_comparison import (
    render_comparison,
    render_comparison_html,
    render_comparison_json,
    summary,
)
from cenbench.report.sides import Side, network_places, table_places
from cenbench.run.revision_results import find_commit
from cenbench.stats.change import change, change_words

PARAMS = REPOSITORY / "params"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(PARAMS, "study")


def saved(value: float, **changes: Any) -> SavedRecord:
    numbers = {stream: {"miou_pct": value} for stream in ("rgb", "depth", "ensemble")}
    found = SavedRecord(
        numbers, {"ensemble": {"wall": value, "lamp": value / 2}}, {}, {"train": "a"}, {"python": "3.11"}
    )
    return replace(found, **changes)


def side(name: str, cells: tuple[Cell, ...], values: list[float], **changes: Any) -> Side:
    places = network_places(cells)
    records = {cell.id: saved(value, **changes) for cell, value in zip(cells, values, strict=False)}
    return Side(name, places, dict.fromkeys(places, ("miou_pct",)), records)


def compared(plan: Plan, a: list[float], b: list[float], **changes: Any) -> SideComparison:
    cells = plan.table("table7").slots[0].cells
    return build_comparison(side("A", cells, a), side("B", cells, b, **changes), {"miou_pct": 1.0})


@pytest.mark.parametrize(
    ("a", "b", "word"),
    [
        ([40.0, 41.0, 42.0], [40.0, 41.0, 42.0], "same"),
        ([40.0, 41.0, 42.0], [50.1, 51.0, 52.1], "better"),
        ([40.0, 41.0, 42.0], [30.1, 31.0, 32.1], "worse"),
        ([40.0, 41.0, 42.0], [40.1, 41.0, 42.1], "noise"),
        ([40.0, 41.0, 42.0], [45.0, 35.0, 44.0], "undecided"),
        ([40.0], [60.0], "undecided"),
        ([50.0, 60.0], [60.0, 50.0], "undecided"),
        ([50.0, 50.1, 50.2], [50.2, 50.1, 50.0], "noise"),
    ],
)
def test_words(plan: Plan, a: list[float], b: list[float], word: str) -> None:
    assert {number.word for number in compared(plan, a, b).numbers} == {word}


def test_the_interval_is_that_of_the_paired_t_test(plan: Plan) -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(40, 1, 5), generator.normal(41, 1, 5)
    [*_, number] = compared(plan, a.tolist(), b.tolist()).numbers
    low, high = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert number.interval == pytest.approx((low, high))
    assert (number.a, number.b, number.seeds) == (pytest.approx(a.mean()), pytest.approx(b.mean()), 5)


def test_lower_is_better_for_an_error() -> None:
    found = change({1: 2.0, 2: 2.2, 3: 2.1}, {1: 1.0, 2: 1.3, 3: 1.1}, higher_is_better=False)
    assert found is not None
    assert found.effect == pytest.approx(2.9 / 3)
    assert change_words([found], [0.1]) == ["better"]


def test_a_count_that_changed_is_certain_and_corrects_no_other_number() -> None:
    counts = [
        change(
            dict.fromkeys(range(seeds), 1.0), dict.fromkeys(range(seeds), 1.05), higher_is_better=False, counted=True
        )
        for seeds in (1, 5)
    ]
    measured = change({1: 1.0, 2: 2.0, 3: 3.0}, {1: 1.4, 2: 2.5, 3: 3.6}, higher_is_better=True)
    found = [one for one in (*counts, measured) if one is not None]
    assert change_words(found, [None] * 3) == ["worse", "worse", "better"]
    assert change_words(found, [0.1] * 3) == ["noise", "noise", "better"], "less than a margin, if it has one"
    assert change({1: 2.0}, {2: 2.0}, higher_is_better=True) is None, "no common seed"


def test_noise_is_hardly_ever_called_better_or_worse() -> None:
    """Families of ten numbers of three seeds without a difference: any word at 5 % of them at most."""
    generator, runs, wrong = np.random.default_rng(1), 200, 0
    for _ in range(runs):
        found = [
            change(dict(enumerate(generator.normal(0, 1, 3))), dict(enumerate(generator.normal(0, 1, 3))),
                   higher_is_better=True)
            for _ in range(10)
        ]  # fmt: skip
        words = change_words([one for one in found if one], [1e-9] * 10)
        wrong += bool({"better", "worse"} & set(words))
    assert wrong / runs < 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_settings_code_and_environment_that_differ_are_listed(plan: Plan) -> None:
    cells = plan.table("table7").slots[0].cells
    theta = cells[0].protocol.theta
    document = [cell.model_dump() for cell in cells]
    others = tuple(Cell.model_validate({**one, "protocol": {**one["protocol"], "theta": 0.125}}) for one in document)
    changed = side("B", others, [1.0] * 5, digests={"train": "b"}, provenance={"python": "3.12"})
    found = build_comparison(side("A", cells, [1.0] * 5), changed, {})
    assert list(found.settings) == [f"protocol.theta: {theta} / 0.125"]
    assert found.code == (
        "train: differs for 5 of 5 cells; the settings of these also differ, which may be the reason",
    )
    same = build_comparison(side("A", cells, [1.0] * 5), side("B", cells, [1.0] * 5, digests={"train": "b"}), {})
    assert same.code == ("train: differs for 5 of 5 cells",)
    assert found.environment == ("python: 3.11 / 3.12",)


def test_classes_that_moved_are_listed_largest_first_and_numbers_of_one_side_are_counted(plan: Plan) -> None:
    found = compared(plan, [40.0, 40.0, 40.0], [50.0, 50.0, 50.0])
    assert [(one.name, one.a, one.b) for one in found.classes] == [("wall", 40.0, 50.0), ("lamp", 20.0, 25.0)]
    nothing = compared(plan, [40.0], [])
    assert (nothing.numbers, nothing.only_a, nothing.only_b) == ((), 3, 0)
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(render_comparison(found))
    assert "+10.0" in console.export_text()
    page = render_comparison_html(found)
    assert page.index("<td>wall<") < page.index("<td>lamp<")
    assert summary(found) in page
    assert json.dumps(render_comparison_json(found))


def test_a_lost_seed_is_counted(plan: Plan) -> None:
    """The mean of the seeds that are left says nothing of the others."""
    found = compared(plan, [50.0, 60.0, 55.0, 52.0, 51.0], [50.0])
    assert (found.only_a, found.only_b, found.lacking, found.moved) == (12, 0, {"missing": 4}, ())
    assert summary(found) == "3 numbers compared: 3 same; 12 values only in A (cells of B without them: 4 missing)"
    assert render_comparison_json(found)["lacking"] == {"missing": 4}
    assert summary(compared(plan, [50.0], [50.0, 60.0])) == "3 numbers compared: 3 same; 3 values only in B"


def test_a_place_of_one_side_is_counted(plan: Plan) -> None:
    """A row that B's table no longer has is lost, too."""
    cells = plan.table("table7").slots[0].cells[:1]
    whole, part = side("A", cells, [50.0]), side("B", cells, [50.0])
    part = replace(part, places={place: found for place, found in part.places.items() if place == ("ensemble",)})
    found = build_comparison(whole, part, {})
    assert (len(found.numbers), found.only_a, found.lacking) == (1, 2, {})


def publish_two_seeds(root: Path) -> tuple[Plan, Paths]:
    """A checkout whose table 7 has two finished seeds."""
    make_root(root, tiny=True)
    preset = root / "params" / "presets" / "demo.yaml"
    preset.write_text(preset.read_text().replace("seeds: [1]", "seeds: [1, 2]"))
    plan, paths = load_plan(root / "params", "demo"), Paths(root)
    for cell in plan.cells_of("table7"):
        publish(paths, cell, float(cell.seed))
    return plan, paths


def test_a_check_of_results_against_themselves_is_refused(tmp_path: Path) -> None:
    """It would pass whatever the results are."""
    plan, here = publish_two_seeds(tmp_path / "a")
    there = shutil.copytree(here.root, tmp_path / "b")
    (tmp_path / "link").symlink_to(here.root)
    cell = plan.cells_of("table7")[0].id
    a, root = str(here.root), ["--root", str(here.root)]
    for same in ((a, a), (a, str(tmp_path / "link")), (a, "demo"), ("table7:1", "table7:1"), (cell, cell[-10:])):
        error = CliRunner().invoke(app, ["compare", *same, *root, "--fail-if", "moved"]).exception
        assert isinstance(error, UserError), same
        assert "A and B are the same results" in error.problem
        assert CliRunner().invoke(app, ["compare", *same, *root]).exit_code == 0, "only with the option"
    found = CliRunner().invoke(app, ["compare", a, str(there), *root, "--fail-if", "moved"])
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("fail_if", ["worse", "moved"])
def test_the_command_fails_if_a_value_is_lost(tmp_path: Path, fail_if: str) -> None:
    plan, here = publish_two_seeds(tmp_path / "a")
    there = Paths(Path(shutil.copytree(here.root, tmp_path / "b")))
    command = ["compare", str(here.root), str(there.root), "--root", str(here.root)]
    same = CliRunner().invoke(app, [*command, "--fail-if", fail_if])
    assert (same.exit_code, same.stderr) == (0, ""), same.output

    missing, damaged = plan.cells_of("table7")[:2]
    shutil.rmtree(there.cell(missing))
    history = there.cell(damaged) / "history.csv"
    history.write_bytes(history.read_bytes().replace(b"step", b"stop"))
    lost = CliRunner().invoke(app, [*command, "--fail-if", fail_if])
    assert lost.exit_code == 1
    assert f"--fail-if {fail_if}: " in lost.stderr
    assert "values only in A (cells of B without them: 1 missing, 1 damaged)" in lost.stderr
    assert CliRunner().invoke(app, command).exit_code == 0, "only with the option"
    swapped = ["compare", *command[2:0:-1], *command[3:], "--fail-if", fail_if]
    unknown = CliRunner().invoke(app, swapped)
    assert unknown.exit_code == 1, "nothing is known of a damaged record's numbers"
    reason = f"damaged in A: {damaged.id}: history.csv has changed since it was written"
    assert f"--fail-if {fail_if}: {reason}" in unknown.stderr
    page = tmp_path / "page.html"
    shown = CliRunner().invoke(app, [*swapped[:-2], "--html", str(page)])
    assert (shown.exit_code, page.read_text().count(reason)) == (0, 1)
    assert "damaged in A" in shown.output
    shutil.rmtree(there.cell(damaged))
    gained = CliRunner().invoke(app, swapped)
    assert gained.exit_code == 0, gained.output


def with_images(folder: Path, counts_NKK: np.ndarray, picture: bytes, hard: Sequence[int] = ()) -> SavedRecord:
    """A record whose ensemble has these confusion counts; its first two images and the hard ones have pictures."""
    collector = ConfusionCollector(["ensemble"], counts_NKK.shape[1])
    collector.add(counts_NKK[:, None])
    files = {"per_image.safetensors": to_bytes(collector.collected())}
    files |= {f"samples/{number:03d}.png": picture + bytes([number]) for number in range(2)}
    files |= {f"samples/thin-{number:04d}.png": picture + bytes([number]) for number in hard}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return saved(1.0, folder=folder, files={name: sha256_bytes(data) for name, data in files.items()})


def test_a_picture_is_that_of_its_image_where_hard_scenes_have_pictures_too(plan: Plan, tmp_path: Path) -> None:
    cells = plan.table("table7").slots[0].cells[:1]
    places, before = network_places(cells), np.full((20, 3, 3), 5)
    after = before.copy()
    after[[1, 2, 17], 0] = [0, 40, 3]
    first = with_images(tmp_path / "a", before, b"A", hard=(17,))
    second = with_images(tmp_path / "b", after, b"B", hard=(17,))
    one, other = (
        Side(name, places, dict.fromkeys(places, ("miou_pct",)), {cells[0].id: record})
        for name, record in (("A", first), ("B", second))
    )
    pictures = {image.image: image.picture_a for image in build_comparison(one, other, {}).images}
    assert pictures == {1: b"A\x01", 2: None, 17: b"A\x11"}


def test_images_that_moved_most_are_shown_side_by_side(plan: Plan, tmp_path: Path) -> None:
    cells = plan.table("table7").slots[0].cells[:1]
    generator = np.random.default_rng(0)
    before = generator.integers(0, 50, (20, 3, 3))
    after = before.copy()
    after[1, 0] = [0, 40, 3]  # a sample, which moves a little
    after[17] = np.diag([9, 9, 9])  # perfect now
    first, second = with_images(tmp_path / "a", before, b"A"), with_images(tmp_path / "b", after, b"B")
    places = network_places(cells)
    sides = [
        Side(name, places, dict.fromkeys(places, ("miou_pct",)), {cells[0].id: record})
        for name, record in (("A", first), ("B", second))
    ]
    found = build_comparison(sides[0], sides[1], {})
    assert {one.image for one in found.images} == {1, 17}
    assert found.images[0].image == 17 or abs(found.images[0].effect) >= abs(found.images[1].effect)
    for one in found.images:
        for counts_KK, value in ((before[one.image], one.a), (after[one.image], one.b)):
            hits, union = np.diag(counts_KK), counts_KK.sum(0) + counts_KK.sum(1) - np.diag(counts_KK)
            assert value == pytest.approx(100 * np.mean(hits[union > 0] / union[union > 0]))
        assert one.effect == one.b - one.a
    sample = next(one for one in found.images if one.image == 1)
    assert (sample.picture_a, sample.picture_b) == (b"A\x01", b"B\x01")
    page = render_comparison_html(found)
    assert base64.b64encode(b"A\x01").decode() in page
    assert page.count("<figure") == 1
    assert render_comparison_json(found)["images"][0]["picture_a"] is None
    assert json.dumps(render_comparison_json(found))
    (tmp_path / "b" / "samples" / "001.png").write_bytes(b"edited")
    damaged = build_comparison(sides[0], sides[1], {})
    assert next(one for one in damaged.images if one.image == 1).picture_b is None
    same = build_comparison(sides[0], sides[0], {})
    assert same.images == ()


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_a_revision_without_results_is_a_message_and_a_name_is_a_cell_first(tmp_path: Path) -> None:
    shutil.copytree(PARAMS, tmp_path / "params")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "x")
    assert find_commit(tmp_path, "HEAD") is not None
    assert find_commit(tmp_path, "nothing") is None
    assert find_commit(tmp_path, "--help") is None
    assert find_commit(tmp_path / "params", "HEAD") == find_commit(tmp_path, "HEAD")
    for name, words in (("HEAD", "tracks no archive of results"), ("nothing", "or a git revision")):
        found = CliRunner().invoke(app, ["compare", name, "demo", "--root", str(tmp_path)])
        assert isinstance(found.exception, UserError)
        assert words in str(found.exception)
    (tmp_path / "results").mkdir()
    for name in ("one.tar", "two.tar.dvc"):
        (tmp_path / "results" / name).write_text("not an archive")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "y")
    found = CliRunner().invoke(app, ["compare", "HEAD", "demo", "--root", str(tmp_path)])
    assert "several archives" in str(found.exception)
    assert "results/one.tar, results/two.tar.dvc" in str(found.exception)
    (tmp_path / "results" / "demo.tar").write_text("not an archive")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "z")
    found = CliRunner().invoke(app, ["compare", "HEAD", "demo", "--root", str(tmp_path)])
    assert "demo.tar" in str(found.exception)
    assert isinstance(found.exception, UserError)


@pytest.fixture
def two_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Plan, Paths, Paths]:
    """Of equal params and other numbers; the first is the working directory."""
    plan, here = publish_two_seeds(tmp_path / "a")
    there = Paths(Path(shutil.copytree(here.root, tmp_path / "b")))
    for cell in plan.cells_of("table7"):
        publish(there, cell, 50.0)
    monkeypatch.chdir(here.root)
    return plan, here, there


@pytest.mark.parametrize("file", ["", "/", "/metrics.json"])
def test_the_folder_of_a_cell_is_that_cell_in_its_checkout(two_checkouts: tuple[Plan, Paths, Paths], file: str) -> None:
    plan, _, there = two_checkouts
    cell = plan.cells_of("table7")[0]
    for other in (str(there.cell(cell)), f"../b/results/cells/{cell.id}"):
        found = CliRunner().invoke(app, ["compare", f"results/cells/{cell.id}{file}", f"{other}{file}", "--json"])
        assert found.exit_code == 0, found.exception
        assert {(number["a"], number["b"]) for number in json.loads(found.stdout)["numbers"]} == {(1.0, 50.0)}


def test_a_branch_may_have_a_slash_in_its_name(two_checkouts: tuple[Plan, Paths, Paths]) -> None:
    _, here, _ = two_checkouts
    export = CliRunner().invoke(app, ["results", "export", "results/demo.tar"])
    assert export.exit_code == 0, export.exception
    git(here.root, "init", "-q")
    git(here.root, "add", "-f", "params", "results/demo.tar")
    git(here.root, "commit", "-qm", "x")
    git(here.root, "branch", "feature/x")
    git(here.root, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(here.root, "tag", "v1.tar")
    for name in ("feature/x", "origin/main", "tags/v1.tar", "v1.tar"):
        found = CliRunner().invoke(app, ["compare", name, ".", "--fail-if", "moved"])
        assert found.exit_code == 0, found.exception
    for name in ("feature/y", "nowhere/x.tar", "x.tar.gz"):
        missing = CliRunner().invoke(app, ["compare", name, "."])
        assert f"no such file or folder, and no such git revision\n  found: {name}" in str(missing.exception)
    (here.root / "feature").mkdir()
    folder = CliRunner().invoke(app, ["compare", "feature", "."])
    assert "not a cenbench checkout" in str(folder.exception)


def test_an_archive_is_read_with_the_params_that_it_was_made_with(
    two_checkouts: tuple[Plan, Paths, Paths], tmp_path: Path
) -> None:
    """A changed parameter gives new cells here; those of the archive are still found by their place in the tables."""
    _, here, _ = two_checkouts
    before = tmp_path / "before.tar"
    export = ["results", "export", str(before)]
    assert CliRunner().invoke(app, export).exit_code == 0
    preset = here.root / "params" / "presets" / "demo.yaml"
    preset.write_text(preset.read_text().replace("lr_encoder: 5.0e-3", "lr_encoder: 1.0e-2"))
    for cell in load_plan(here.params, "demo").cells_of("table7"):
        publish(here, cell, 50.0 + cell.seed)
    found = CliRunner().invoke(app, ["compare", str(before), ".", "--json"])
    assert found.exit_code == 0, found.exception
    report = json.loads(found.stdout)
    assert {(number["a"], number["b"]) for number in report["numbers"]} == {(1.5, 51.5)}
    assert list(report["settings"]) == ["protocol.phases[0].lr_encoder: 0.005 / 0.01"]


def test_an_archive_whose_params_are_not_valid_is_named(
    two_checkouts: tuple[Plan, Paths, Paths], tmp_path: Path
) -> None:
    _, here, _ = two_checkouts
    (here.root / "params" / "table7.yaml").write_text("rows: 7\n")
    with tarfile.open(tmp_path / "broken.tar", "w") as archive:
        archive.add(here.root / "params", "params")
        archive.add(here.root / "results", "results")
    shutil.copy(PARAMS / "table7.yaml", here.root / "params")
    found = CliRunner().invoke(app, ["compare", str(tmp_path / "broken.tar"), "."])
    assert isinstance(found.exception, UserError)
    assert str(tmp_path / "broken.tar") in str(found.exception)
    assert "the params in the archive are not valid" in str(found.exception)


def test_an_archive_without_params_is_read_with_those_of_the_checkout(
    two_checkouts: tuple[Plan, Paths, Paths], tmp_path: Path
) -> None:
    """Older versions exported none."""
    with tarfile.open(tmp_path / "old.tar", "w") as archive:
        archive.add("results", "results")
    found = CliRunner().invoke(app, ["compare", str(tmp_path / "old.tar"), ".", "--fail-if", "moved"])
    assert found.exit_code == 0, found.exception


def test_a_margin_does_not_apply_to_a_stand_ins_unit(plan: Plan) -> None:
    cells = plan.table("table7").slots[0].cells
    first = side("A", cells, [1.0, 1.1, 1.2], stand_in={"miou_pct": "another instrument"})
    found = build_comparison(first, side("B", cells, [1.3, 1.42, 1.5]), {"miou_pct": 1.0})
    assert {number.margin for number in found.numbers} == {None}


def test_presets_are_compared_slot_by_slot(plan: Plan) -> None:
    demo = load_plan(PARAMS, "demo")
    own, other = table_places(plan.table("table7")), table_places(demo.table("table7"))
    assert own.keys() == other.keys()
    assert len(own) == len(plan.table("table7").slots)


def test_rows_by_number(plan: Plan) -> None:
    found = row_cells("table7:7", plan)
    assert found is not None
    assert {cell.fusion for cell in found[1]} == {"exchange"}
    assert row_cells("exchange", plan) is None
    with pytest.raises(UserError, match="no row 99"):
        row_cells("table7:99", plan)
    with pytest.raises(UserError, match="shows 4 networks"):
        row_cells("table8:1", plan)


@pytest.mark.slow
def test_the_command_on_checkouts_archives_and_cells(finished: Any, tmp_path: Path) -> None:
    """With `make test-slow`: it needs finished cells."""
    other = tmp_path / "other"
    shutil.copytree(finished.root, other, symlinks=True)
    finished.run("python", "-m", "cenbench", "results", "export", "results/all.tar")
    for a, b in ((str(finished.root), str(other)), (str(finished.root / "results/all.tar"), str(other))):
        same = CliRunner().invoke(app, ["compare", a, b, "--root", str(other), "--fail-if", "moved"])
        assert same.exit_code == 0, same.output
        assert "same" in same.output


@pytest.mark.slow
def test_the_command_on_revisions(finished: Any) -> None:
    """With `make test-slow`: an archive in git, another one with DVC, and a change of both params and numbers."""
    root = ["--root", str(finished.root)]
    export = ("python", "-m", "cenbench", "results", "export")
    put_under_version(finished, repro=False)
    finished.run(*export, "results/demo.tar")
    finished.run("git", "add", "-f", "results/demo.tar")
    commit(finished)
    same = CliRunner().invoke(app, ["compare", "HEAD", str(finished.root), *root, "--fail-if", "moved"])
    assert same.exit_code == 0, same.output
    finished.edit("params/presets/demo.yaml", "lr_encoder: 5.0e-3", "lr_encoder: 1.0e-2")
    finished.snakemake("table7")
    finished.run("git", "rm", "-q", "--cached", "results/demo.tar")
    finished.run(*export, "results/demo.tar")
    finished.run("dvc", "add", "-q", "results/demo.tar")
    commit(finished)
    (finished.root / "results" / "demo.tar").unlink()
    page = finished.root / "changes.html"
    moved = CliRunner().invoke(app, ["compare", "HEAD~1", "HEAD", *root, "--fail-if", "moved", "--html", str(page)])
    assert moved.exit_code == 1, moved.output
    assert "protocol.phases[0].lr_encoder: 0.005 / 0.01" in moved.output
    assert "data:image/png" in page.read_text()
    worse = CliRunner().invoke(app, ["compare", "HEAD~1", "HEAD", *root, "--fail-if", "worse"])
    assert worse.exit_code == 0, "one seed shows nothing"


def test_a_name_of_nothing_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(PARAMS)
    for a, words in (("nowhere.tar", "no such file or folder"), ("abcd1234", "has no cell"), ("demo", "in common")):
        found = CliRunner().invoke(app, ["compare", a, "demo", "--root", str(tmp_path)])
        assert isinstance(found.exception, UserError)
        assert words in str(found.exception)
