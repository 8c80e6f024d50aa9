"""Theorem 1's probability that zero attracts a scaling factor, and how often it does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cenbench.matrix.figure_layout import FigureLayout
from cenbench.records.read import CellRecord
from cenbench.report.figures.figure import Curve, Drawn, Panel
from cenbench.report.figures.gammas import GammaReader
from cenbench.stats.attraction import attraction, attraction_ratio

_LARGEST_RATIO = 4.0
_RATIO = "\N{GREEK SMALL LETTER LAMDA} / |gradient|"
_MEASURED = "measured share"
_THEOREM = "theorem 1"


def attraction_figure(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """The curve with measured shares by tenth of the channels; prediction against measurement; both over the steps."""
    reader = GammaReader(records)
    ratio = np.linspace(0, _LARGEST_RATIO, 81)
    on_curve, against = [_curve(_THEOREM, ratio, attraction(ratio))], [_curve(_THEOREM, [0.0, 1.0], [0.0, 1.0])]
    over_steps = []
    for series in layout.series:
        found = [(record, gammas) for record, gammas in reader.of(series) if len(gammas.step_T)]
        if not found:
            continue
        cells = tuple(record.cell.id for record, _ in found)
        predicted = np.mean([gammas.probability_tenths_TMD.mean(axis=(0, 1)) for _, gammas in found], axis=0)
        measured = np.mean([gammas.small_gradient_tenths_TMD.mean(axis=(0, 1)) for _, gammas in found], axis=0)
        on = attraction_ratio(np.minimum(predicted, 1))
        inside = on <= _LARGEST_RATIO
        on_curve.append(_curve(series.label, on[inside], measured[inside], cells))
        against.append(_curve(series.label, predicted, measured, cells))
        record, gammas = found[0]
        difference = gammas.small_gradient_tenths_TMD.mean(axis=(1, 2)) - gammas.probability_tenths_TMD.mean(
            axis=(1, 2)
        )
        over_steps.append(
            _curve(series.label, gammas.step_T / gammas.step_T[-1], difference, (record.cell.id,), "line")
        )
    panels = (
        Panel("Curve and measurement", _RATIO, "probability", tuple(on_curve), y_limits=(-0.03, 1.03)),
        Panel("By tenth of the channels", "predicted probability", _MEASURED, tuple(against), y_limits=(-0.03, 1.03)),
        Panel("Over the training", "share of the steps", "measured minus predicted", tuple(over_steps)),
    )
    return Drawn(panels, problems=reader.problems)


def _curve(label: str, x: object, y: object, cells: tuple[str, ...] = (), mark: str = "") -> Curve:
    line = mark == "line" or label == _THEOREM
    x_values, y_values = (tuple(np.asarray(values, np.float64).tolist()) for values in (x, y))
    return Curve(label, x_values, y_values, "line" if line else "points", cells=cells)
