"""The frame of results: one line per cell, stream and metric, in every state; what it holds reads back exactly."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from statistics import fmean

import pandas
import pytest
from checkout import REPOSITORY
from test_report_table import cost, record
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.matrix.metrics import measured_metrics, metrics, metrics_that_need
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.table_name import table_order
from cenbench.records.frame import compact, results_frame, summary, write_frame
from cenbench.records.read import CellRecord, State
from cenbench.report.table import build_table

STATES: tuple[State, ...] = ("ok", "failed", "stale", "missing", "skipped", "damaged")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(REPOSITORY / "params", "demo")


@pytest.fixture(scope="module")
def records(plan: Plan) -> dict[str, CellRecord]:
    """Cells of every state in turn; those with numbers hold a tenth of their place, which no binary float is."""
    found = {}
    for place, cell in enumerate(plan.cells.values()):
        state = STATES[place % len(STATES)]
        value = place / 10 if state in ("ok", "stale") else None
        reason = None if state == "ok" else f"why {place}, with a comma"
        found[cell.id] = record(cell, value, state, reason, {"fid": "other features"}, cost(place) if value else {})
    return found


@pytest.fixture(scope="module")
def frame(plan: Plan, records: dict[str, CellRecord]) -> pandas.DataFrame:
    return results_frame(plan, records)


def test_every_cell_has_a_line_per_stream_and_metric_whatever_its_state(plan: Plan, frame: pandas.DataFrame) -> None:
    expected = [
        (cell.id, stream, metric)
        for cell in plan.cells.values()
        for stream in cell.streams
        for metric in (*measured_metrics(cell.task.kind), *metrics_that_need("network"))
    ]
    lines = frame[["cell_id", "stream", "metric"]]
    assert not lines.duplicated().any()
    assert set(expected) <= set(lines.itertuples(index=False, name=None))
    others = set(lines.itertuples(index=False, name=None)) - set(expected)
    assert {metric for _, _, metric in others} <= metrics().keys(), "the records of this test hold every metric"
    assert list(frame["cell_id"].unique()) == list(plan.cells)
    assert set(frame["state"]) == set(STATES)


def test_a_value_is_that_of_an_ok_record_and_empty_in_every_other_state(
    plan: Plan, records: dict[str, CellRecord], frame: pandas.DataFrame
) -> None:
    for line in frame.itertuples():
        found = records[line.cell_id]
        number = found.metrics.get(line.stream, {}).get(line.metric)
        if metrics()[line.metric].is_cost:
            continue
        shown = {"ok": line.value, "stale": line.outdated_value}.get(found.state)
        if number is not None:
            assert shown == number
        assert pandas.isna(line.value) or found.state == "ok"
        assert pandas.isna(line.outdated_value) or found.state == "stale"
        assert (None if pandas.isna(line.reason) else line.reason) == found.reason
    assert frame["value"].notna().sum() > 0


def test_tables_show_the_numbers_of_the_frame(
    plan: Plan, records: dict[str, CellRecord], frame: pandas.DataFrame
) -> None:
    """Every slot of every table, from the frame alone: the number of each seed, of old ones too."""
    values = frame["value"].fillna(frame["outdated_value"])
    known = dict(zip(frame[["cell_id", "stream", "metric"]].itertuples(index=False, name=None), values, strict=True))
    compared = 0
    for layout in plan.tables:
        for entry in build_table(plan.preset, layout, records).entries:
            for shown in entry.values:  # noqa: PD011 - a tuple, not a data frame
                numbers = [known[cell_id, entry.stream, shown.metric] for cell_id in entry.cells]
                numbers = [number for number in numbers if not pandas.isna(number)]
                assert [number.value for number in shown.numbers] == numbers
                compared += len(numbers)
                if shown.ours is not None:
                    assert shown.ours == fmean(numbers)
    assert compared > 100


def test_costs_are_those_of_the_network(plan: Plan, frame: pandas.DataFrame) -> None:
    place, cell = next((place, cell) for place, cell in enumerate(plan.cells.values()) if place == len(STATES))
    lines = frame[(frame["cell_id"] == cell.id) & (frame["metric"] == "params_m")]
    assert set(lines["value"]) == {cost(place)["total"] / 1e6}
    assert set(lines["params"]) == {cost(place)["total"]}


def test_cells_that_differ_can_be_told_apart_without_their_ids(frame: pandas.DataFrame) -> None:
    settings = ["task", "fusion", "stage", "merged", "convs", "norms", "l1", "seed"]
    settings += [name for name in frame.columns if "." in name]
    cells = frame.drop_duplicates("cell_id")
    assert not cells[settings].duplicated().any()
    assert {"protocol.theta", "network.width", "evaluation.batch_size", "dataset.size_px"} <= set(settings)


def test_the_frame_depends_on_nothing_but_plan_and_records(
    plan: Plan, records: dict[str, CellRecord], frame: pandas.DataFrame
) -> None:
    shuffled = dict(sorted(records.items(), reverse=True))
    pandas.testing.assert_frame_equal(results_frame(plan, shuffled), frame, check_exact=True)


def test_the_compact_frame_holds_every_number_and_what_tells_its_cells_apart(frame: pandas.DataFrame) -> None:
    short = compact(frame)
    finished = frame[frame["state"] == "ok"].dropna(subset="value")
    numbers = short.melt(id_vars=["cell_id", "stream"], value_vars=list(finished["metric"].unique())).dropna()
    keys = ["cell_id", "stream", "metric"]
    numbers = numbers.rename(columns={"variable": "metric"})[[*keys, "value"]].sort_values(keys, ignore_index=True)
    expected = finished[[*keys, "value"]].sort_values(keys, ignore_index=True)
    pandas.testing.assert_frame_equal(numbers, expected, check_exact=True, check_dtype=False)
    terms = [name for name in short if name not in ("cell_id", "stream", "tables", *expected["metric"].unique())]
    assert not short.drop_duplicates("cell_id")[terms].duplicated().any()
    assert "network.width" in frame
    assert "network.width" not in short, "every cell of a kind has the same"


def test_csv_reads_back_exactly(frame: pandas.DataFrame, tmp_path: Path) -> None:
    write_frame(frame, tmp_path / "a.csv")
    again = pandas.read_csv(tmp_path / "a.csv", dtype=frame.dtypes.to_dict())
    pandas.testing.assert_frame_equal(again, frame, check_exact=True)


def test_parquet_reads_back_exactly_or_its_absence_is_a_message(
    frame: pandas.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    if find_spec("pyarrow"):
        write_frame(frame, path)
        pandas.testing.assert_frame_equal(pandas.read_parquet(path), frame, check_exact=True)
        path.unlink()
    monkeypatch.setattr("cenbench.records.frame.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs pyarrow") as caught:
        write_frame(frame, path)
    assert "pip install pyarrow" in str(caught.value.fix)
    assert list(tmp_path.iterdir()) == []


def test_another_ending_is_a_message(frame: pandas.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown format"):
        write_frame(frame, tmp_path / "a.xlsx")


def test_the_summary_counts_cells_and_numbers_per_table(
    plan: Plan, records: dict[str, CellRecord], frame: pandas.DataFrame
) -> None:
    found = summary(frame)
    assert list(found.index) == sorted((table.name for table in plan.tables), key=table_order)
    for table in plan.tables:
        cells = [records[cell.id] for cell in table.cells]
        assert found.loc[table.name, "cells"] == len(cells)
        for state in STATES:
            assert found.loc[table.name, state] == sum(record.state == state for record in cells)
        lines = frame[frame["cell_id"].isin([record.cell.id for record in cells])]
        assert found.loc[table.name, "numbers"] == lines["value"].count()


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(REPOSITORY / "params")
    root = ["--root", str(tmp_path)]
    shown = CliRunner().invoke(app, ["results", "frame", *root])
    assert shown.exit_code == 0, shown.output
    assert shown.output.splitlines()[0].split() == ["table", "cells", *STATES_SHOWN, "numbers"]
    written = CliRunner().invoke(app, ["results", "frame", *root, "--out", str(tmp_path / "all.csv")])
    assert written.exit_code == 0, written.output
    frame = pandas.read_csv(tmp_path / "all.csv")
    assert set(frame["state"]) == {"missing"}
    assert frame["value"].isna().all()
    short = CliRunner().invoke(app, ["results", "frame", *root, "--compact", "--out", str(tmp_path / "short.csv")])
    assert short.exit_code == 0, short.output
    assert len(pandas.read_csv(tmp_path / "short.csv")) == 0


STATES_SHOWN = ["ok", "failed", "skipped", "stale", "missing", "damaged"]
