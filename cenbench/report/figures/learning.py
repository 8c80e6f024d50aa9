"""A column of the history over the steps of the training: the mean over seeds, and their spread as a band."""

from __future__ import annotations

from collections.abc import Mapping

from cenbench.matrix.figure_layout import FigureLayout
from cenbench.records.read import CellRecord
from cenbench.report.curves import read_history
from cenbench.report.figures.figure import Curve, Drawn, Panel
from cenbench.report.figures.seeds import finished_records, mean_and_ends


def learning_curves(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """One line per series, over the steps that the histories of all its seeds have."""
    curves, lacking = [], []
    for series in layout.series:
        found: dict[float, list[float]] = {}
        cells = []
        for record in finished_records(series.cells, records):
            history = read_history(record.history)
            if layout.column not in history:
                lacking.append(record.cell.id)
                continue
            cells.append(record.cell.id)
            for step, value in zip(history["step"], history[layout.column], strict=True):
                found.setdefault(step, []).append(value)
        points = [(step, *mean_and_ends(values)) for step, values in sorted(found.items()) if len(values) == len(cells)]
        if points:
            x, y, low, high = zip(*points, strict=True)
            ends = (low, high) if len(cells) > 1 else ((), ())
            curves.append(Curve(series.label, x, y, "line", *ends, cells=tuple(cells), emphasised=series.emphasised))
    notes = [f"{len(lacking)} cells have no column {layout.column} in their history."] if lacking else []
    return Drawn((Panel("", "training step", _axis(str(layout.column)), tuple(curves)),), notes=tuple(notes))


def _axis(column: str) -> str:
    """What a column of the history holds: `nll_ensemble` is the negative log-likelihood of the ensemble."""
    output = column.removeprefix("nll_")
    return f"negative log-likelihood ({output})" if output != column else column.replace("_", " ")
