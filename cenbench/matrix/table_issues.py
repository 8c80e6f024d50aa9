"""What is wrong with a table's declaration beyond a single slot: each problem with its key, for `cenbench plan`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cenbench.matrix.cell import Cell
from cenbench.matrix.methods import methods
from cenbench.matrix.metrics import measured_metrics, metrics_that_need
from cenbench.matrix.table import TableSpec
from cenbench.matrix.validation import Issue, short_repr, spelling_hint

Shown = Sequence[tuple[int, Sequence[Cell]]]
"""Of each slot, its column and its cells."""


def impossible_metrics(spec: TableSpec, shown: Shown, *, whole: bool) -> Iterator[Issue]:
    """Metrics that the cells of a slot never have: its place in the table would stay empty after the training.

    `whole`: the slots are all that the file declares. Only then can a metric of exchange be missing from all of them.
    """
    placed = [(_key(spec, column), column, cells[0]) for column, cells in shown if cells]
    exchanging = {key for key, _, cell in placed if methods()[cell.fusion].acts == "norms" or not whole}
    of_exchange, of_gammas = metrics_that_need("exchange"), metrics_that_need("gammas")
    measured = {
        kind: (*measured_metrics(kind), *metrics_that_need("network"))
        for kind in {cell.task.kind for *_, cell in placed}
    }
    for key, column, cell in placed:
        kind = cell.task.kind
        known = (*measured[kind], *(of_exchange if key in exchanging else ()))
        for metric in spec.columns[column].metrics or spec.metrics:
            if metric in of_gammas:
                problem = "only a claim can use a metric of the recorded scaling factors"
            elif metric in of_exchange:
                problem = "none of these networks exchanges channels"
            else:
                problem = f"{kind} cells do not have this metric"
            if metric not in known:
                yield Issue(key, problem, short_repr(metric), ", ".join(known), spelling_hint(metric, known))


def repeated_labels(labels: Mapping[str, Mapping[str, str]]) -> Iterator[Issue]:
    """Labels that an earlier column, group or row has: numbers are found by them, so one of the two would be lost.

    `labels`: what they are labels of -> key in the file -> label.
    """
    for what, label_of in labels.items():
        first: dict[str, str] = {}
        for key, label in label_of.items():
            if first.setdefault(label, key) != key:
                fix = "set `labels:`, or show the term in which they differ in the `stub:`" if what == "row" else None
                yield Issue(key, f"another {what} has this label: {first[label]}", short_repr(label), fix=fix)


def _key(spec: TableSpec, column: int) -> str:
    """Where the metrics of this column are declared."""
    return f"columns[{column}].metrics" if spec.columns[column].metrics else "metrics"
