"""A finished cell's training curves and results for TensorBoard or Weights & Biases, written by their own libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from cenbench.errors import UserError
from cenbench.records.read import CellRecord
from cenbench.report.curves import history_problem, read_history

_NO_CURVES = ("step", "epoch")
_PROJECT = "cenbench"


@dataclass(frozen=True)
class ExportedHistory:
    """What is written of one cell. Names have the form `train/nll_rgb` and `val/rgb/miou_pct`."""

    cell_id: str
    network: str
    """The cell's id without its seed and hash: what its seeds have in common."""
    configuration: Mapping[str, Any]
    finished_s: float
    """When the cell ended, in seconds since 1970; 0 if its record does not state it."""
    curves: tuple[tuple[int, Mapping[str, float]], ...]
    """Step -> values, in the order of steps."""
    results: Mapping[str, float]
    """The numbers of the record."""


def exported_history(record: CellRecord) -> ExportedHistory:
    """`UserError` for a cell that is not finished, or whose history cannot be read."""
    cell = record.cell
    if record.state != "ok":
        fix = f"cenbench run {cell.id}" if record.state in ("missing", "stale", "failed", "damaged") else None
        raise UserError(f"only finished cells have a history, and this one is {record.state}", where=cell.id, fix=fix)
    columns = read_history(record.history)
    if not columns:
        raise UserError("this cell has no curves", where=cell.id, found=history_problem(record.history))
    names = [name for name in columns if name not in _NO_CURVES]
    curves = tuple(
        (int(step), {f"train/{name}": columns[name][place] for name in names})
        for place, step in enumerate(columns["step"])
    )
    results = {f"val/{out}/{name}": value for out in record.metrics for name, value in record.numbers(out).items()}
    return ExportedHistory(
        cell.id, cell.slug, cell.model_dump(mode="json"), _finished_s(record.provenance), curves, results
    )


def write_tensorboard(history: ExportedHistory, folder: Path) -> None:
    """An event file in `folder`/<cell id>; `tensorboard --logdir folder` shows all cells under it."""
    writer_module = _library("tensorboard.summary.writer.event_file_writer", "tensorboard")
    event = _library("tensorboard.compat.proto.event_pb2", "tensorboard").Event
    summary = _library("tensorboard.compat.proto.summary_pb2", "tensorboard").Summary
    writer = writer_module.EventFileWriter(str(folder / history.cell_id))
    last = history.curves[-1][0]
    for step, values in (*history.curves, (last, history.results)):
        shown = [summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        writer.add_event(event(wall_time=history.finished_s, step=step, summary=summary(value=shown)))
    writer.close()


def write_wandb(history: ExportedHistory, folder: Path) -> None:
    """An offline run under `folder`/wandb, grouped with its other seeds. `wandb sync` uploads it; this does not."""
    wandb = _library("wandb", "wandb")
    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=_PROJECT,
        id=history.cell_id.rpartition(".")[2],
        name=history.cell_id,
        group=history.network,
        dir=str(folder),
        config=dict(history.configuration),
        mode="offline",
        # The machine that exports did not train: its load says nothing about the cell.
        settings={"console": "off", "silent": True, "x_disable_stats": True},
    )
    for step, values in history.curves:
        run.log(dict(values), step=step)
    run.summary.update(dict(history.results))
    run.finish()


WRITERS: Mapping[str, Callable[[ExportedHistory, Path], None]] = {
    "tensorboard": write_tensorboard,
    "wandb": write_wandb,
}
"""Name of a tool, and of the extra that installs its library -> what writes its format."""


def _finished_s(provenance: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(provenance.get("finished"))).timestamp()
    except ValueError:
        return 0.0


def _library(module: str, extra: str) -> ModuleType:
    """An optional library; `UserError` with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{extra} is not installed",
            found=str(error),
            fix=f"pip install -c constraints.txt -e '.[{extra}]'",
        ) from error
