"""All results of a plan as one tidy frame: one line per cell, output stream and metric, whatever state the cell is in.

A pure function of the plan and the cells' records. `cenbench results frame` writes it; pandas is imported only here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from cenbench.errors import UserError
from cenbench.files import canonical_json, write_bytes
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import measured_metrics, metrics_that_need
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import dataset_key
from cenbench.matrix.table_name import table_order
from cenbench.paths import Paths
from cenbench.records.read import CellRecord, State, read_record

if TYPE_CHECKING:
    import pandas

_SETTINGS = ("dataset", "network", "protocol", "evaluation")
"""Parts of a cell that a preset or an override sets field by field."""
_RUN = ("train_s", "trained_steps", "steps")
_FLOATS = ("value", "outdated_value", "train_s")


def read_frame(plan: Plan, paths: Paths) -> pandas.DataFrame:
    """The frame of the records as they are on disk."""
    return results_frame(plan, {cell_id: read_record(paths, cell) for cell_id, cell in plan.cells.items()})


def results_frame(plan: Plan, records: Mapping[str, CellRecord]) -> pandas.DataFrame:
    """The frame, in the plan's order; `records` is id -> record and holds every cell of the plan.

    - `preset`, `tables` (names of the tables that show the cell, separated by spaces; none for a cell that only
      figures show);
    - `cell_id`, `training_id`, `task`, `kind`, `fusion`, `stage`, `merged`, `convs`, `norms`, `l1`, `seed`, `dataset`
      (key), `protocol` (name): what the cell is; the last columns, e.g. `protocol.theta`, are all its other settings;
    - of a cell that others start from (`pretrained: embedded`), `protocol.train_split` is `pretrain`;
    - `state` and `reason` (see `CellRecord`), `origin` (`trained` or `imported`);
    - `stream`, `metric`, `value`: the number, in the metric's own unit. Empty unless the state is `ok`;
    - `outdated_value`: the number of a stale cell;
    - `stand_in`: why the number cannot be compared with the paper's, if it cannot;
    - `train_s`, `trained_steps`, `steps`, `params`: seconds of the last training run and the steps it took (fewer than
      `steps` if it resumed), and the network's parameters.

    Whole numbers and texts have pandas' nullable types: a setting that a cell does not have is empty.
    """
    import pandas

    lines = [line for cell_id, cell in plan.cells.items() for line in _lines(plan, cell, records[cell_id])]
    frame = pandas.DataFrame(lines)
    settings = [name for name in frame if "." in str(name)]
    frame = frame[[*(name for name in frame if name not in settings), *sorted(map(str, settings))]]
    return frame.convert_dtypes().astype(dict.fromkeys(_FLOATS, "float64"))


def _lines(plan: Plan, cell: Cell, record: CellRecord) -> Iterator[dict[str, Any]]:
    counts = record.document.get("parameters", {})
    known = (*measured_metrics(cell.task.kind), *metrics_that_need("network"))
    for stream in cell.streams:
        numbers = record.numbers(stream)
        for metric in dict.fromkeys((*known, *numbers)):
            yield {
                "preset": plan.preset,
                "tables": " ".join(plan.tables_of(cell.id)) or None,
                **_identity(cell),
                "state": record.state,
                "reason": record.reason,
                "origin": record.document.get("origin"),
                "stream": stream,
                "metric": metric,
                "value": numbers.get(metric) if record.state == "ok" else None,
                "outdated_value": numbers.get(metric) if record.state == "stale" else None,
                "stand_in": record.stand_in.get(metric),
                **{name: record.provenance.get(name) for name in _RUN},
                "params": counts.get("total"),
                **_settings(cell),
            }


def _identity(cell: Cell) -> dict[str, Any]:
    return {
        "cell_id": cell.id,
        "training_id": cell.training_id,
        "task": str(cell.task),
        "kind": cell.task.kind,
        **{name: getattr(cell, name) for name in ("fusion", "stage", "merged", "convs", "norms", "l1", "seed")},
        "dataset": dataset_key(cell.dataset),
        "protocol": cell.protocol.name,
    }


def _settings(cell: Cell) -> dict[str, Any]:
    """Every field of the cell's parts, e.g. `protocol.theta`; lists and nested parts as JSON."""
    document = cell.model_dump(mode="json", include=set(_SETTINGS))
    return {
        f"{part}.{field}": canonical_json(value) if isinstance(value, list | dict) else value
        for part in _SETTINGS
        for field, value in document[part].items()
    }


def compact(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The finished cells of a frame, small enough to commit: one line per cell and output stream, a column per metric.

    Only cells in the state `ok` have lines. A setting that all cells of one kind (segmentation, translation) share is
    left out, as are the columns of the run (`train_s`, ...) and of the training's digest. What is left is what a cell
    is, what makes it differ from the others of its kind, and its numbers.
    """
    known = ("cell_id", "stream", "tables", "kind", "task", "fusion")
    finished = frame[frame["state"] == "ok"].dropna(subset="value")
    numbers = finished.pivot_table(index=["cell_id", "stream"], columns="metric", values="value", aggfunc="first")
    left_out = {*_RUN, "training_id", "state", "reason", "metric", "value", "outdated_value", "stand_in"}
    terms = frame.drop_duplicates(["cell_id", "stream"]).drop(columns=[*left_out])
    values = terms.groupby("kind").nunique(dropna=False).max()
    varying = set(values.index[values > 1])
    terms = terms[[name for name in terms if name in known or name in varying]]
    order = [*known, *(name for name in terms if name not in known)]
    return terms[order].merge(numbers.reset_index(), on=["cell_id", "stream"])


def summary(frame: pandas.DataFrame) -> pandas.DataFrame:
    """One line per table: `cells`, how many of them are in each state, and `numbers`, the values there are."""
    import pandas

    lines = frame.assign(table=frame["tables"].str.split()).explode("table")
    cells = lines.drop_duplicates(["table", "cell_id"])
    states = pandas.crosstab(cells["table"], cells["state"]).reindex(columns=get_args(State), fill_value=0)
    states.insert(0, "cells", states.sum(axis=1))
    counts = states.assign(numbers=lines.groupby("table")["value"].count())
    return counts.loc[sorted(counts.index, key=table_order)]


def write_frame(frame: pandas.DataFrame, path: Path) -> None:
    """Write the frame as CSV, or as Parquet where pyarrow is installed; the file's ending decides. Atomic.

    CSV holds floats so that they read back exactly. Raises `UserError` for another ending, and without pyarrow.
    """
    if path.suffix == ".csv":
        write_bytes(path, str(frame.to_csv(index=False, lineterminator="\n")).encode())
    elif path.suffix != ".parquet":
        raise UserError("unknown format for results", key="--out", found=path, expected="a .csv or .parquet file")
    elif find_spec("pyarrow") is None:
        raise UserError(
            "Parquet needs pyarrow, which is not installed",
            key="--out",
            found=path,
            fix=f"pip install pyarrow; or write CSV: --out {path.with_suffix('.csv')}",
        )
    else:
        buffer = io.BytesIO()
        frame.to_parquet(buffer, engine="pyarrow", index=False)
        write_bytes(path, buffer.getvalue())
