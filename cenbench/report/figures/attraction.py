"""Theorem 1's probability that zero attracts a scaling factor, and how often it does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cenbench.matrix.figure_layout import FigureLayout
from cenbench.records.gammas import Gammas
from cenbench.records.read import CellRecord
from cenbench.report.figures.figure import Curve, Drawn, Panel
from cenbench.report.figures.gammas import GammaReader, first_conv
from cenbench.report.value import MINUS
from cenbench.stats.attraction import attraction, attraction_ratio, gaussian_departure

_LARGEST_RATIO = 4.0
_MOST_TICKS = 8
_RATIO = "\N{GREEK SMALL LETTER LAMDA} / |gradient|"
_MEASURED = "measured share"
_DIFFERENCE = "measured minus predicted"
_THEOREM = "theorem 1"


def attraction_figure(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """The curve with measured shares by tenth of the channels; prediction against measurement; the difference of the
    two by layer, and over the steps.
    """
    reader = GammaReader(records)
    ratio = np.linspace(0, _LARGEST_RATIO, 81)
    on_curve, against = [_curve(_THEOREM, ratio, attraction(ratio))], [_curve(_THEOREM, [0.0, 1.0], [0.0, 1.0])]
    by_layer, over_steps, notes = [], [], []
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
        same = [gammas for _, gammas in found if list(gammas.layers) == list(found[0][1].layers)]
        differences_L = np.mean([_difference_L(gammas) for gammas in same], axis=0)
        first, convs = first_conv(found[0][0].cell), len(differences_L)
        by_layer.append(_curve(series.label, np.arange(first, first + convs), differences_L, cells))
        notes.append(_note(series.label, 100 * measured.mean(), 100 * predicted.mean(), first, differences_L, same))
        step_T = found[0][1].step_T
        same_steps = [gammas for _, gammas in found if np.array_equal(gammas.step_T, step_T)]
        differences_T = np.mean([_difference_T(gammas) for gammas in same_steps], axis=0)
        over_steps.append(_curve(series.label, step_T / step_T[-1], differences_T, cells, "line"))
    panels = (
        Panel("Curve and measurement", _RATIO, "probability", tuple(on_curve), y_limits=(-0.03, 1.03)),
        Panel("By tenth of the channels", "predicted probability", _MEASURED, tuple(against), y_limits=(-0.03, 1.03)),
        Panel("By layer", "convolution", _DIFFERENCE, tuple(by_layer), x_ticks=_ticks(by_layer)),
        Panel("Over the training", "share of the steps", _DIFFERENCE, tuple(over_steps)),
    )
    return Drawn(panels, notes=tuple(notes), problems=reader.problems)


def _ticks(curves: Sequence[Curve]) -> tuple[float, ...]:
    """Some of the numbers of the convolutions that are drawn, at equal distances."""
    convs = sorted({x for curve in curves for x in curve.x})
    return tuple(convs[:: math.ceil(len(convs) / _MOST_TICKS)] if convs else ())


def _difference_L(gammas: Gammas) -> np.ndarray:
    """Measured minus predicted share of each layer, the mean over points and modalities."""
    return np.array(
        [float((layer.small_gradient_TM - layer.probability_TM).mean()) for layer in gammas.layers.values()]
    )


def _difference_T(gammas: Gammas) -> np.ndarray:
    """Measured minus predicted share of each point, the mean over modalities and tenths."""
    difference_TMD: np.ndarray = gammas.small_gradient_tenths_TMD - gammas.probability_tenths_TMD
    return np.asarray(difference_TMD.mean(axis=(1, 2)))


def _note(
    label: str, measured_pct: float, predicted_pct: float, first: int, differences_L: np.ndarray, same: Sequence[Gammas]
) -> str:
    """How far theorem and measurement are apart, in which layer most, and how Gaussian the gradients are there."""
    place = int(np.abs(differences_L).argmax())
    deciles = [list(gammas.layers.values())[place].gradient_deciles_TMD.reshape(-1, 9) for gammas in same]
    ratios = gaussian_departure(np.concatenate(deciles))
    known = ratios[np.isfinite(ratios).all(axis=1)]
    points = f"{100 * differences_L[place]:+.1f}".replace("-", MINUS)
    last = ""
    if len(known):
        last = f", where the last decile of |gradient| is {np.median(known[:, 8]):.1f} times a Gaussian's"
    return (
        f"{label}: zero attracts {measured_pct:.1f} % of the channels, theorem 1 predicts {predicted_pct:.1f} %. They "
        f"differ most at convolution {first + place}, by {points} points{last}."
    )


def _curve(label: str, x: object, y: object, cells: tuple[str, ...] = (), mark: str = "") -> Curve:
    line = mark == "line" or label == _THEOREM
    x_values, y_values = (tuple(np.asarray(values, np.float64).tolist()) for values in (x, y))
    return Curve(label, x_values, y_values, "line" if line else "points", cells=cells)
