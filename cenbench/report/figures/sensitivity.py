"""A score, and the share of small scaling factors, over lambda, one line per theta."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cenbench.matrix.figure_layout import FigureLayout, FigureSeries
from cenbench.records.read import CellRecord
from cenbench.report.curves import read_history
from cenbench.report.figures.figure import Curve, Drawn, Line, Panel
from cenbench.report.figures.seeds import by_network, finished_records, mean_and_ends
from cenbench.report.value import heading

TUNE = "tune"
_TUNED = "Measured on the split `tune`, which no number of a table comes from."
_GIVEN = "Measured on the validation split, as the tables are: lambda and theta are not chosen by this figure."


def sensitivity(layout: FigureLayout, records: Mapping[str, CellRecord]) -> Drawn:
    """The score on the grid's split; and the share below theta at the end of training, in percent."""
    metric = layout.metric or ""

    def scored(record: CellRecord, stream: str) -> float | None:
        return record.numbers(stream).get(metric)

    score = [_curve(series, records, scored) for series in layout.series]
    share = [_curve(series, records, share_below_theta_pct) for series in layout.series]
    own = () if layout.chosen is None else (Line(layout.chosen[0], "tables"),)
    axis = "weight \N{GREEK SMALL LETTER LAMDA} of the l1 term"
    logarithmic = all(x > 0 for curve in score for x in curve.x)
    tried = tuple(sorted({x for curve in score for x in curve.x}))
    panels = (
        Panel("Score", axis, heading(metric), _drawn(score), x_log=logarithmic, x_ticks=tried, lines=own),
        Panel(
            "Exchanged",
            axis,
            "scaling factors below \N{GREEK SMALL LETTER THETA} (%)",
            _drawn(share),
            x_log=logarithmic,
            x_ticks=tried,
            y_limits=(0.0, 100.0),
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


def _curve(
    series: FigureSeries,
    records: Mapping[str, CellRecord],
    number: Callable[[CellRecord, str], float | None],
) -> Curve:
    points, cells = [], []
    for network in by_network(series.cells):
        found = [(record, number(record, series.stream)) for record in finished_records(network, records)]
        values = [value for _, value in found if value is not None]
        if values:
            points.append((network[0].protocol.lambda_l1, *mean_and_ends(values)))
            cells += [record.cell.id for record, value in found if value is not None]
    x, y, low, high = zip(*points, strict=True) if points else ((), (), (), ())
    return Curve(series.label, x, y, "points", low, high, cells=tuple(cells))


def _drawn(curves: list[Curve]) -> tuple[Curve, ...]:
    return tuple(curve for curve in curves if curve.x)
