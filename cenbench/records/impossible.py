"""Numbers of a record that no evaluation gives: a share over 100 %, an error below zero, an output of no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import is_possible, limits, metrics


def check_numbers(path: Path, document: Mapping[str, Any], cell: Cell) -> None:
    """Raise `UserError` for an impossible number of the record read from `path`, and for an output without numbers."""
    numbers = document["metrics"]
    if document["state"] == "ok" and (without := [stream for stream in cell.streams if not numbers.get(stream)]):
        raise UserError(
            f"{path.name} lacks the numbers of an output", where=path, key=f"metrics.{without[0]}", found="none",
            expected=", ".join(cell.streams),
        )  # fmt: skip
    check_scores(path, "metrics", numbers, cell)


def check_scores(path: Path, key: str, scores: Mapping[str, Mapping[str, float]], cell: Cell) -> None:
    """Raise `UserError` for an impossible number among the scores (stream -> metric -> value) that `path` has under
    `key`, and for numbers of an output that the cell does not have.
    """
    known = metrics()
    for stream, of_stream in scores.items():
        if stream not in cell.streams:
            raise _impossible(path, f"{key}.{stream}", "numbers of an output", ", ".join(cell.streams))
        for name, value in of_stream.items():
            if name not in known:
                continue  # of a metric whose file has been removed since
            if not is_possible(name, value):
                raise _impossible(path, f"{key}.{stream}.{name}", value, "{:g} to {:g}".format(*limits(name)))


def _impossible(path: Path, key: str, found: object, expected: str) -> UserError:
    problem = f"{path.name} has a number that no evaluation gives"
    return UserError(problem, where=path, key=key, found=found, expected=expected)
