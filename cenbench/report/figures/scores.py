"""Scores of many networks over what they cost: their parameters, or how many modalities they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cenbench.matrix.cell import Cell
from cenbench.matrix.figure_layout import FigureLayout, FigureSeries
from cenbench.matrix.methods import methods
from cenbench.records.read import CellRecord
from cenbench.report.figures.figure import Curve, Drawn, Panel
from cenbench.report.figures.seeds import finished_records, mean_and_ends
from cenbench.report.value import heading

_SMALL_GROUP = 2
"""A group of a table with no more networks than this has no panel of its own, and is drawn in every panel."""
OURS, ALONE = "Ours", "One modality"
_Point = tuple[float, float, float, float, str]
"""x, y, the ends of its spread, and what is written beside it."""


def score_by_parameters(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """A panel per group of the table; ours and small groups, such as networks of one modality, in each of them."""
    groups: dict[str, list[FigureSeries]] = {}
    for series in layout.series:
        groups.setdefault(series.group or "", []).append(series)
    everywhere = [one for one in layout.series if one.emphasised or len(groups[one.group or ""]) <= _SMALL_GROUP]
    panels = []
    for group, members in groups.items():
        if len(members) <= _SMALL_GROUP and len(groups) > 1:
            continue
        shown = [*(one for one in everywhere if one not in members), *members]
        curves = _by_method(shown, records, layout.metric or "")
        panels.append(Panel(group.partition(":")[0], "parameters (million)", heading(layout.metric or ""), curves))
    return Drawn(tuple(panels))


def _by_method(shown: Sequence[FigureSeries], records: Mapping[str, CellRecord], metric: str) -> tuple[Curve, ...]:
    """One curve per method, a point per stage."""
    points: dict[str, list[_Point]] = {}
    cells: dict[str, list[str]] = {}
    for series in shown:
        found = [
            (record.cell.id, numbers[metric], numbers["params_m"])
            for record in finished_records(series.cells, records)
            if {metric, "params_m"} <= (numbers := record.numbers(series.stream)).keys()
        ]
        if found:
            name = OURS if series.emphasised else methods()[series.cells[0].fusion].label
            score = mean_and_ends([value for _, value, _ in found])
            points.setdefault(name, []).append((found[0][2], *score, _stage(series.cells[0])))
            cells.setdefault(name, []).extend(cell_id for cell_id, _, _ in found)
    return tuple(_points(name, of, cells[name]) for name, of in points.items())


def _points(label: str, points: Iterable[_Point], cells: Sequence[str]) -> Curve:
    """The curve of these points, each with its spread and what is written beside it."""
    x, y, low, high, texts = zip(*sorted(points), strict=True)
    return Curve(label, x, y, "points", low, high, texts, tuple(cells), emphasised=label == OURS)


def _stage(cell: Cell) -> str:
    """Where it fuses; the modality of a network that has only one."""
    if len(cell.task.inputs) == 1:
        return cell.task.inputs[0]
    return "" if methods()[cell.fusion].acts == "nowhere" or cell.fusion == "exchange" else cell.stage


def score_by_modalities(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """Points of single networks; a line through their mean for each number of modalities."""
    metric = layout.metric or ""
    values: dict[str, list[_Point]] = {}
    cells: dict[str, list[str]] = {}
    for series in layout.series:
        found = [
            (record.cell.id, numbers[metric])
            for record in finished_records(series.cells, records)
            if metric in (numbers := record.numbers(series.stream))
        ]
        cell = series.cells[0]
        kind = _network_kind(cell)
        if found and not {cell_id for cell_id, _ in found} & set(cells.get(kind, ())):  # in both tables
            score = mean_and_ends([value for _, value in found])
            values.setdefault(kind, []).append(
                (len(cell.task.inputs), *score, _initials(cell) if kind in (ALONE, OURS) else "")
            )
            cells.setdefault(kind, []).extend(cell_id for cell_id, _ in found)
    curves = tuple(_points(kind, of, cells[kind]) for kind, of in values.items())
    counts = tuple(sorted({x for curve in curves for x in curve.x}))
    return Drawn((Panel("", "number of modalities", heading(metric), curves, x_ticks=counts),))


def _initials(cell: Cell) -> str:
    """The modalities, in short."""
    return "+".join(name[0].upper() for name in cell.task.inputs)


def _network_kind(cell: Cell) -> str:
    if len(cell.task.inputs) == 1:
        return ALONE
    if cell.fusion == "exchange":
        return OURS
    return f"{cell.convs} convs, {cell.norms} norms".capitalize()
