"""Numbers of several seeds as a mean and its spread, for drawing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from cenbench.files import digest
from cenbench.matrix.cell import Cell
from cenbench.records.read import CellRecord


def finished_records(cells: Iterable[Cell], records: Mapping[str, CellRecord]) -> list[CellRecord]:
    """The records that there are, in the order of the cells."""
    return [records[cell.id] for cell in cells if cell.id in records]


def mean_and_ends(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean, and one standard deviation (n - 1) below and above it; NaN for the ends of a single value."""
    mean = statistics.fmean(values)
    sd = statistics.stdev(values) if len(values) > 1 else math.nan
    return mean, mean - sd, mean + sd


def by_network(cells: Iterable[Cell]) -> list[list[Cell]]:
    """The cells that differ in nothing but their seed, together; in the order of the first of each."""
    networks: dict[str, list[Cell]] = {}
    for cell in cells:
        networks.setdefault(digest(cell.model_dump(mode="json", exclude={"seed"})), []).append(cell)
    return list(networks.values())
