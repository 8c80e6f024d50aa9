"""Builds a figure from its layout and the records of its cells. Cells that are not finished are left out, and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from cenbench.matrix.figure import FigureKind
from cenbench.matrix.figure_layout import FigureLayout
from cenbench.records.read import CellRecord, State
from cenbench.report.figures.attraction import attraction_figure
from cenbench.report.figures.figure import Drawn, Figure, Problem
from cenbench.report.figures.learning import learning_curves
from cenbench.report.figures.pictures import pictures
from cenbench.report.figures.scaling_factors import exchanged_share, scaling_factors, trajectories
from cenbench.report.figures.scores import score_by_modalities, score_by_parameters
from cenbench.report.figures.seeds import by_network
from cenbench.report.figures.sensitivity import sensitivity
from cenbench.report.table import WORST_FIRST

Builder = Callable[[FigureLayout, Mapping[str, CellRecord]], Drawn]
_BUILDERS: Mapping[FigureKind, Builder] = {
    "attraction": attraction_figure,
    "exchanged_share": exchanged_share,
    "learning_curves": learning_curves,
    "pictures": pictures,
    "scaling_factors": scaling_factors,
    "score_by_modalities": score_by_modalities,
    "score_by_parameters": score_by_parameters,
    "sensitivity": sensitivity,
    "trajectories": trajectories,
}

_MOST_PARTIAL = 8
"""How many partly finished networks a note names."""


def build_figure(preset: str, layout: FigureLayout, records: Mapping[str, CellRecord]) -> Figure:
    """The figure; `records` holds (at least) every cell of its layout by id. Never raises for what a record holds."""
    own = [records[cell.id] for cell in layout.cells]
    finished = {record.cell.id: record for record in own if record.state == "ok"}
    drawn = _BUILDERS[layout.kind](layout, finished)
    return Figure(
        preset=preset,
        layout=layout,
        panels=drawn.panels,
        pictures=drawn.pictures,
        notes=(*drawn.notes, *_partly_finished(layout, finished), *_stand_ins(layout, finished)),
        problems=(*_unfinished(own), *drawn.problems),
        states={state: count for state in WORST_FIRST if (count := sum(record.state == state for record in own))},
    )


def _unfinished(records: Sequence[CellRecord]) -> tuple[Problem, ...]:
    """The cells that are left out, by state and reason."""
    cells: dict[tuple[State, str], list[str]] = {}
    for state in WORST_FIRST:
        for record in records:
            if record.state == state != "ok":
                cells.setdefault((state, record.reason or ""), []).append(record.cell.id)
    return tuple(Problem(state, reason, tuple(ids)) for (state, reason), ids in cells.items())


def _partly_finished(layout: FigureLayout, finished: Mapping[str, CellRecord]) -> Iterator[str]:
    """The networks that are drawn from some of their seeds: such a mean is not that of a table."""
    partial = []
    for series in layout.series:
        networks = by_network(series.cells)
        for network in networks:
            done = sum(cell.id in finished for cell in network)
            if 0 < done < len(network):
                at = f", \N{GREEK SMALL LETTER LAMDA} = {network[0].protocol.lambda_l1:g}" if len(networks) > 1 else ""
                partial.append(f"{series.label}{at} ({done} of {len(network)})")
    if partial:
        more = f" and {len(partial) - _MOST_PARTIAL} more" if len(partial) > _MOST_PARTIAL else ""
        yield f"Drawn from fewer seeds than declared: {'; '.join(partial[:_MOST_PARTIAL])}{more}."


def _stand_ins(layout: FigureLayout, finished: Mapping[str, CellRecord]) -> tuple[str, ...]:
    """What replaced the paper's instrument behind the figure's metric."""
    labels = (record.stand_in.get(layout.metric or "") for record in finished.values())
    known = dict.fromkeys(f"{label[0].upper()}{label[1:]}" for label in labels if label)
    return tuple(f"{label}: not comparable with the paper's numbers." for label in known)
