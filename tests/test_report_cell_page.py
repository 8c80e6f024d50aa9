"""A cell's page shows its number beside its siblings' and other seeds', its curves with their spread, its classes."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from checkout import REPOSITORY
from published import put_manifest
from test_report_figures import dataset_manifest, finished, history
from test_report_pages import Page
from test_report_table import record

from cenbench.data.contact_sheet import label_colours
from cenbench.data.manifest import write_manifest
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.read import CellRecord
from cenbench.report.cell_context import context_of, related_cells
from cenbench.report.cell_page import render_cell_page
from cenbench.report.cell_sources import CellSources
from cenbench.report.class_legend import class_names, shown_classes
from cenbench.report.curves import chart, history_problem, read_history, spread
from cenbench.report.siblings import seeds, seeds_stream, siblings


@pytest.fixture(scope="module")
def study() -> Plan:
    return load_plan(REPOSITORY / "params", "study")


@pytest.fixture(scope="module")
def ours(study: Plan) -> Cell:
    """Row 7 of table 7: shared convolutions, private norms, half of the channels, exchange; the first seed."""
    [slot] = [slot for slot in study.table("table7").slots if (slot.row, slot.column) == (6, 2)]
    return slot.cells[0]


@pytest.fixture
def records(study: Plan) -> dict[str, CellRecord]:
    """Numbers that differ between all cells."""
    return {cell.id: record(cell, 20.0 + place / 7) for place, cell in enumerate(study.cells.values())}


def value(records: dict[str, CellRecord], cell_id: str) -> float:
    return records[cell_id].metrics["ensemble"]["miou_pct"]


def test_siblings_are_the_rows_of_the_column_with_the_same_seed(
    study: Plan, ours: Cell, records: dict[str, CellRecord]
) -> None:
    [found] = [one for one in siblings(context_of(study, ours), ours.id, records, "study") if one.table == "table7"]
    slots = [slot for slot in study.table("table7").slots if slot.column == 2]
    assert [line.cell_id for line in found.lines] == [slot.cells[0].id for slot in slots]
    assert [line.cell_id == ours.id for line in found.lines] == [slot.row == 6 for slot in slots]
    for line, slot in zip(found.lines, slots, strict=True):
        difference = value(records, line.cell_id) - value(records, ours.id)
        expected = "" if line.cell_id == ours.id else f"{difference:+.1f}".replace("-", "\N{MINUS SIGN}")
        assert line.numbers == (f"{value(records, line.cell_id):.1f}",)
        assert line.papers == (f"{slot.paper['miou_pct']:.1f}",)
        assert line.differences[0].replace("+0.0", "0.0") == expected.replace("+0.0", "0.0")
    hashes = ours.id.rpartition(".")[2], found.lines[0].cell_id.rpartition(".")[2]
    assert found.lines[0].command == f"cenbench compare {hashes[0]} {hashes[1]} --preset study"


def test_where_a_table_ranks_columns_siblings_are_those_of_the_row(study: Plan, records: dict[str, CellRecord]) -> None:
    [slot, *_] = [slot for slot in study.table("table8").slots if slot.stream == "ensemble" and slot.row == 2]
    [found] = [
        one
        for one in siblings(context_of(study, slot.cells[0]), slot.cells[0].id, records, "study")
        if one.table == "table8"
    ]
    assert [line.name for line in found.lines] == [column.label for column in study.table("table8").columns]
    assert found.metrics == ("fid", "kid_x100")


def test_seeds_have_a_mean_and_spread_once_all_count(study: Plan, ours: Cell, records: dict[str, CellRecord]) -> None:
    context = context_of(study, ours)
    found = seeds(context.seeds, seeds_stream(context, records[ours.id]), context.metrics, records)
    assert found is not None
    numbers = [value(records, cell_id) for cell_id in context.seeds.values()]
    assert len(numbers) == len(study.table("table7").slots[0].cells) > 1
    assert found.means[0] == f"{statistics.mean(numbers):.1f} \N{PLUS-MINUS SIGN} {statistics.stdev(numbers):.1f}"
    last = list(context.seeds.values())[-1]
    missing = {**records, last: record(study.cells[last], None, "missing", "not run yet")}
    partial = seeds(context.seeds, found.stream, context.metrics, missing)
    assert partial is not None
    assert (partial.means, partial.counted) == ((), len(numbers) - 1)
    page = Page(render_cell_page("study", records[ours.id], context, CellSources(missing)))
    assert f"{len(numbers) - 1} of {len(numbers)} seeds count, so there is no mean." in page.text


def test_only_cells_that_have_a_page_are_linked(study: Plan, ours: Cell, records: dict[str, CellRecord]) -> None:
    context = context_of(study, ours)
    sibling = next(line for place in context.places for line in place.siblings if line.cell_id != ours.id)
    links = [
        Page(render_cell_page("study", records[ours.id], context, CellSources(records, pages))).links
        for pages in ((), (sibling.cell_id,))
    ]
    assert f"{sibling.cell_id}.html" not in links[0]
    assert f"{sibling.cell_id}.html" in links[1]


def test_a_page_names_every_cell_whose_number_it_shows(study: Plan, ours: Cell) -> None:
    context = context_of(study, ours)
    related = related_cells(study, [ours])
    assert set(context.seeds.values()) < set(related)
    assert {line.cell_id for place in context.places for line in place.siblings} <= set(related)


def test_curves_lie_on_the_spread_of_the_seeds() -> None:
    first, second = ({"step": [1.0, 2.0], "loss": [3.0, low], "lr": [0.1, 0.1]} for low in (1.0, 2.0))
    lower, upper = 1.5 - statistics.stdev([1, 2]), 1.5 + statistics.stdev([1, 2])
    bands = spread(first, [first, second])
    assert bands.keys() == {"loss"}, "the learning rate is the same in all seeds"
    assert bands["loss"] == ([1.0, 2.0], [3.0, pytest.approx(lower)], [3.0, pytest.approx(upper)])
    assert spread(first, [first]) == {}
    assert spread(first, [first, {**second, "step": [1.0, 3.0]}]) == {}, "other steps"
    [line] = chart("Losses", [1, 2], {"loss": first["loss"]}, bands=bands).lines
    (x1, y1), (x2, y2), (x3, y3), (x4, _) = ([float(part) for part in at.split(",")] for at in line.band.split())
    assert (x1, x2) == (x4, x3)
    assert y2 < y3, "the upper end is drawn above the lower one"
    assert y1 == pytest.approx(float(line.points.split()[0].split(",")[1])), "at the first step the seeds agree"


def test_a_page_with_other_seeds_draws_their_spread(study: Plan, ours: Cell, tmp_path: Path) -> None:
    context = context_of(study, ours)
    found = {
        cell_id: finished(study.cells[cell_id], tmp_path, files=history("nll_ensemble", 3.0, 1.0 + seed))
        for seed, cell_id in context.seeds.items()
    }
    page = render_cell_page("study", found[ours.id], context, CellSources(found))
    assert f"one standard deviation around the mean of {len(found)} seeds" in page
    assert len(re.findall("<polygon", page)) == 1, "the loss; the shares are the same in all seeds"
    assert read_history(found[ours.id].history)["nll_ensemble"] == [3.0, 2.0]


def test_the_legend_names_the_classes_that_are_shown(study: Plan, ours: Cell, tmp_path: Path) -> None:
    names = ("wall", "<b>chair</b>", "lamp")
    write_manifest(Paths(tmp_path).data / dataset_key(ours.dataset), dataset_manifest(ours.dataset, names))
    own = finished(ours, tmp_path, files={"samples/thin-0002.png": b"a picture"})
    assert class_names(own) == names
    labels_HW = np.array([[0, 2], [2, 255]])
    legend = shown_classes(names, [label_colours(labels_HW)])
    assert [name for name, _ in legend] == ["wall", "lamp", "void"]
    page = Page(render_cell_page("study", own, context_of(study, ours)))
    assert all(name in page.text for name in (*names, "void", "scene 2 (most thin objects)"))


def test_a_dataset_that_is_not_here_has_no_legend(ours: Cell, tmp_path: Path) -> None:
    assert class_names(finished(ours, tmp_path)) == ()
    put_manifest(Paths(tmp_path), ours.dataset)
    assert class_names(finished(ours, tmp_path)) == (), "a dataset without classes"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("step,nll\n", "has no rows"),
        ("step,nll\n1,words\n", "not a table of numbers"),
        ("step,nll\n1,2,3\n", "not a table of numbers"),
        ("step,step\n1,2\n", "not a table of numbers"),
        ("epoch,nll\n1,2\n", "no column step"),
        ("step,nll,lr\n1,nan,1e39\n", "beyond float32: nll, lr"),
    ],
)
def test_a_history_that_cannot_be_drawn_is_named_with_its_reason(text: str, why: str) -> None:
    assert read_history(text) == {}
    assert why in history_problem(text)


def test_a_history_that_can_be_drawn_has_no_problem() -> None:
    assert history_problem("step,nll\n1,2.5\n") == ""


def test_a_cells_page_states_why_it_has_no_curves(study: Plan, ours: Cell, tmp_path: Path) -> None:
    damaged = finished(ours, tmp_path, 20.0, files={"history.csv": b"step,nll\n1,words\n"})
    page = Page(render_cell_page("study", damaged, context_of(study, ours), CellSources({ours.id: damaged})))
    assert "No curves: history.csv has no rows, or is not a table of numbers" in page.text


def test_siblings_without_a_number_are_listed_apart(study: Plan, ours: Cell, records: dict[str, CellRecord]) -> None:
    context = context_of(study, ours)
    table7 = [slot.cells[0] for slot in study.table("table7").slots if slot.column == 2]
    absent = {cell.id: record(cell, None, "missing", "not run yet") for cell in table7[:3]}
    [found] = [one for one in siblings(context, ours.id, records | absent, "study") if one.table == "table7"]
    assert [line.cell_id for line in found.without] == list(absent)
    assert {line.cell_id for line in found.lines} == {cell.id for cell in table7[3:]}
    page = Page(render_cell_page("study", records[ours.id], context, CellSources(records | absent)))
    assert "3 more cells have no number yet" in page.text
