"""A score, and the share of small scaling factors, over lambda, one line per theta."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from cenbench.matrix.cell import Cell
from cenbench.matrix.figure_layout import FigureLayout, FigureSeries
from cenbench.records.read import CellRecord
from cenbench.report.curves import read_history
from cenbench.report.figures.figure import Curve, Drawn, Line, Panel
from cenbench.report.figures.seeds import by_network, finished_records, mean_and_ends
from cenbench.report.value import heading

TUNE = "tune"
_TUNED = "Measured on the tuning split, which no number of a table comes from."
_GIVEN = "Measured on the validation split, as the tables are: lambda and theta are not chosen by this figure."


def sensitivity(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """The score on the grid's split; and the share below theta at the end of training, in percent."""
    metric = layout.metric or ""

    def scored(record: CellRecord, stream: str) -> float | None:
        return record.numbers(stream).get(metric)

    score = tuple(curve for series in layout.series for curve in _curves(series, records, scored))
    share = tuple(curve for series in layout.series for curve in _curves(series, records, share_below_theta_pct))
    own = () if layout.chosen is None else (Line(layout.chosen[0], "tables"),)
    axis = "weight \N{GREEK SMALL LETTER LAMDA} of the l1 term"
    tried = tuple(sorted({cell.protocol.lambda_l1 for cell in layout.cells}))
    logarithmic = all(x > 0 for x in tried)
    panels = (
        Panel("Score", axis, heading(metric), score, x_log=logarithmic, x_ticks=tried, lines=own),
        Panel(
            "Exchanged",
            axis,
            "scaling factors below \N{GREEK SMALL LETTER THETA} (%)",
            share,
            x_log=logarithmic,
            x_ticks=tried,
            y_limits=(0.0, 112.0),  # room above 100 % for the label of the vertical line
            lines=own,
        ),
    )
    split = next((cell.evaluation.split for cell in layout.cells), TUNE)
    notes = [_TUNED if split == TUNE else _GIVEN]
    if layout.chosen is not None:
        lambda_l1, theta = layout.chosen
        notes.append(f"The tables of this preset use lambda {lambda_l1:g} (vertical line) and theta {theta:g}.")
    return Drawn(panels, notes=tuple(notes))


def share_below_theta_pct(record: CellRecord, _: str) -> float | None:
    """Mean over modalities of the share of constrained scaling factors below theta at the last line of the history."""
    history = read_history(record.history)
    shares = [values[-1] for name, values in history.items() if name.startswith("below_theta_")]
    return 100 * sum(shares) / len(shares) if shares else None


def _curves(
    series: FigureSeries,
    records: Mapping[str, CellRecord],
    number: Callable[[CellRecord, str], float | None],
) -> Iterator[Curve]:
    """One curve, or several of one label: it breaks where a value of lambda has no finished cell."""
    measured = [(network, _numbers(network, series.stream, records, number)) for network in by_network(series.cells)]
    for has_numbers, part in groupby(measured, key=lambda one: bool(one[1])):
        if has_numbers:
            run = list(part)
            points = [(network[0].protocol.lambda_l1, *mean_and_ends(list(found.values()))) for network, found in run]
            x, y, low, high = zip(*points, strict=True)
            cells = tuple(cell_id for _, found in run for cell_id in found)
            yield Curve(series.label, x, y, "points", low, high, cells=cells)


def _numbers(
    network: Sequence[Cell],
    stream: str,
    records: Mapping[str, CellRecord],
    number: Callable[[CellRecord, str], float | None],
) -> dict[str, float]:
    """Id of each finished seed -> its number."""
    found = {record.cell.id: number(record, stream) for record in finished_records(network, records)}
    return {cell_id: value for cell_id, value in found.items() if value is not None}
