"""Scaling factors: their distribution after training, their paths during it, and the share that is exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cenbench.matrix.cell import Cell
from cenbench.matrix.figure_layout import FigureLayout, FigureSeries
from cenbench.records.gammas import Gammas
from cenbench.records.read import CellRecord
from cenbench.report.figures.figure import Curve, Drawn, Line, Panel
from cenbench.report.figures.gammas import GammaReader, conv_number, layer_at, other_layer_notes
from cenbench.stats.scaling_factors import recovered

THETA = "\N{GREEK SMALL LETTER THETA}"
_SIZE = "|scaling factor|"
_BINS = 25
_MOST_POINTS = 50
"""Points of a single channel's path that are drawn."""
_MOST_LAYERS = 6
"""Layers that have a line of their own in the exchanged share."""
_LINE_SHARE = 0.1
"""Of a panel's height that one line of its note takes."""


def scaling_factors(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """A panel per series: the share of scaling factors in each interval of their size, one outline per modality."""
    reader = GammaReader(records)
    found = [(series, factors) for series in layout.series if (factors := _final(layout, series, reader))]
    largest = max((values.max() for _, factors in found for values in factors.values.values()), default=1.0)
    edges = np.linspace(0.0, float(largest) or 1.0, _BINS + 1)
    panels = [_distribution(series, factors, edges) for series, factors in found]
    top = max((y for panel in panels for curve in panel.curves for y in curve.y), default=1.0)
    lines = max((len(panel.note.splitlines()) for panel in panels), default=0)
    limits = (0.0, top / max(0.25, 0.95 - _LINE_SHARE * lines))  # the note lies above the outlines
    others = other_layer_notes(layout.layer, [factors.conv for _, factors in found if factors.conv is not None])
    below = [f"{series.label} {factors.below_theta_pct:.0f} %" for series, factors in found]
    notes = (*([f"Below {THETA}, over all modalities: {', '.join(below)}."] if below else []), *others)
    return Drawn(tuple(replace(panel, y_limits=limits) for panel in panels), notes=notes, problems=reader.problems)


class _Factors:
    """|scaling factors| of the seeds of one series, by modality."""

    def __init__(self, theta: float, conv: int | None) -> None:
        self.theta, self.conv = theta, conv
        self.values: dict[str, np.ndarray] = {}
        self.cells: list[str] = []

    @property
    def below_theta_pct(self) -> float:
        """Share of all modalities' scaling factors below theta."""
        return 100 * float(np.mean(np.concatenate(list(self.values.values())) < self.theta))

    def add(self, record: CellRecord, layers: Sequence[np.ndarray]) -> None:
        """Add a seed's layers, each (M, C)."""
        self.cells.append(record.cell.id)
        for modality, name in enumerate(record.cell.task.inputs):
            sizes = [np.abs(layer_MC[modality]) for layer_MC in layers]
            self.values[name] = np.concatenate([self.values.get(name, np.zeros(0)), *sizes])


def _final(layout: FigureLayout, series: FigureSeries, reader: GammaReader) -> _Factors | None:
    factors = None
    for record, gammas in reader.of(series):
        names, conv = list(gammas.layers), None
        if layout.layer is not None:
            name = layer_at(record.cell, gammas, layout.layer, traced=False)
            names = [name] if name else []
            conv = conv_number(record.cell, gammas, name) if name else None
        factors = factors or _Factors(gammas.theta, conv)
        factors.add(record, [gammas.layers[name].final_MC for name in names])
    return factors


def _distribution(series: FigureSeries, factors: _Factors, edges: np.ndarray) -> Panel:
    centres = tuple(((edges[:-1] + edges[1:]) / 2).tolist())
    curves = []
    for name, values in factors.values.items():
        counts, _ = np.histogram(values, edges)
        share_pct = tuple((100 * counts / max(1, len(values))).tolist())
        curves.append(Curve(name, centres, share_pct, "steps", cells=tuple(factors.cells)))
    below = [f"{name} {100 * np.mean(values < factors.theta):.0f} %" for name, values in factors.values.items()]
    size = f"{_SIZE}, {'all layers' if factors.conv is None else f'convolution {factors.conv}'}"
    note = "\n".join([f"below {THETA}", *below])
    return Panel(series.label, size, "share (%)", tuple(curves), lines=(Line(factors.theta, THETA),), note=note)


def trajectories(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """A panel per series: each channel's scaling factor over the steps, of the first modality and the first seed."""
    reader, panels, notes, shown = GammaReader(records), [], [], []
    for series in layout.series:
        found = [(record, gammas) for record, gammas in reader.of(series) if len(gammas.step_T)]
        shares = []
        for place, (record, gammas) in enumerate(found):
            layer = layer_at(record.cell, gammas, layout.layer or 1, traced=True)
            path = gammas.layers[layer].path_TMC if layer else None
            if layer is None or path is None:
                continue
            shown.append(conv_number(record.cell, gammas, layer))
            shares.append(_came_back(record.cell, path, gammas.theta))
            if place == 0:
                panels.append(_paths(series, record, gammas, layer, path[:, 0]))
        if shares:
            small, at_first, back = (sum(counts) for counts in zip(*shares, strict=True))
            seeds = f"over {len(shares)} seeds" if len(shares) > 1 else "in one seed"
            notes.append(
                f"{series.label}: {small} constrained scaling factors of all modalities were below {THETA} at some "
                f"point {seeds}, {at_first} of them from the first one on; {back} ended above it."
            )
    notes += other_layer_notes(layout.layer, shown)
    return Drawn(tuple(panels), notes=tuple(notes), problems=reader.problems)


def _own(cell: Cell, modality: int, channels: int) -> slice:
    """The channels of a modality that the l1 term acts on: all, or the modality's own of M equal parts."""
    if cell.l1 != "half":
        return slice(0, channels)
    modalities = len(cell.task.inputs)
    return slice(channels * modality // modalities, channels * (modality + 1) // modalities)


def _came_back(cell: Cell, path_TMC: np.ndarray, theta: float) -> tuple[int, int, int]:
    counts = [
        recovered(path_TMC[:, modality, _own(cell, modality, path_TMC.shape[2])], theta)
        for modality in range(path_TMC.shape[1])
    ]
    return (
        sum(count.small for count in counts),
        sum(count.small_at_first for count in counts),
        sum(count.recovered for count in counts),
    )


def _paths(series: FigureSeries, record: CellRecord, gammas: Gammas, layer: str, path_TC: np.ndarray) -> Panel:
    drawn = np.unique(np.linspace(0, len(gammas.step_T) - 1, _MOST_POINTS).round().astype(int))
    steps = tuple(gammas.step_T[drawn].tolist())
    constrained = range(*_own(record.cell, 0, path_TC.shape[1]).indices(path_TC.shape[1]))
    curves = []
    for channel in range(path_TC.shape[1]):
        label = "with l1 term" if channel in constrained and record.cell.l1 != "none" else "without l1 term"
        values = tuple(float(str(value)) for value in path_TC[drawn, channel])  # float32, without digits it lacks
        curves.append(Curve(label, steps, values, cells=(record.cell.id,), faint=True))
    curves.sort(key=lambda curve: curve.label, reverse=True)
    title = f"{series.label}, convolution {conv_number(record.cell, gammas, layer)}"
    signs = (1, -1) if path_TC.min() < -gammas.theta / 2 else (1,)  # where a factor comes near to it
    lines = tuple(Line(sign * gammas.theta, THETA if sign > 0 else f"-{THETA}", "y") for sign in signs)
    return Panel(title, "training step", f"scaling factor ({record.cell.task.inputs[0]})", tuple(curves), lines=lines)


def exchanged_share(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """A panel per series: the share of channels that are replaced, in some layers and in all, over the steps."""
    reader, panels, notes = GammaReader(records), [], []
    for series in layout.series:
        found = [(record, gammas) for record, gammas in reader.of(series) if len(gammas.step_T)]
        found = [one for one in found if one[1].step_T.tolist() == found[0][1].step_T.tolist()]
        if not found:
            continue
        curves = _layer_shares(found)
        panels.append(Panel(series.label, "training step", "exchanged channels (%)", curves, y_limits=(0.0, 100.0)))
        last = curves[0].y[-1]
        if last == 0 or last > 90:
            what = "exchanges nothing" if last == 0 else f"exchanges {last:.0f} % of its channels"
            notes.append(f"{series.label} {what} at the end of training: compare lambda and theta with figure 13.")
    return Drawn(tuple(panels), notes=tuple(notes), problems=reader.problems)


def _layer_shares(found: Sequence[tuple[CellRecord, Gammas]]) -> tuple[Curve, ...]:
    record, first = found[0]
    steps, cells = tuple(map(float, first.step_T.tolist())), tuple(record.cell.id for record, _ in found)
    exchanging = [name for name, layer in first.layers.items() if layer.exchanges]
    if not exchanging:
        return (Curve("all layers", steps, (0.0,) * len(steps), cells=cells, emphasised=True),)
    share_pct = {
        name: 100 * np.mean([gammas.layers[name].share_TM.mean(axis=1) for _, gammas in found], axis=0)
        for name in exchanging
    }
    channels = [first.layers[name].final_MC.shape[1] for name in exchanging]
    overall = np.average([share_pct[name] for name in exchanging], axis=0, weights=channels)
    chosen = np.unique(np.linspace(0, len(exchanging) - 1, _MOST_LAYERS).round().astype(int))
    curves = [Curve("all layers", steps, tuple(overall.tolist()), cells=cells, emphasised=True)]
    for place in chosen:
        number = conv_number(record.cell, first, exchanging[place])
        share = tuple(share_pct[exchanging[place]].tolist())
        curves.append(Curve(f"convolution {number}", steps, share, cells=cells))
    return tuple(curves)
