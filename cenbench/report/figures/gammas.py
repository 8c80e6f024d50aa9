"""Reading the recorded scaling factors of a figure's cells, and finding the layer that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cenbench.matrix.cell import Cell
from cenbench.matrix.figure_layout import FigureSeries
from cenbench.records.gammas import Gammas, NoGammas, read_gammas
from cenbench.records.read import CellRecord
from cenbench.report.figures.figure import Problem
from cenbench.report.figures.seeds import finished_records

_FIRST_CONV = {"segmentation": 1, "translation": 2}
"""Task kind -> number of the convolution that the first constrained norm follows; the U-Net's first has no norm."""


@dataclass
class GammaReader:
    """Reads the scaling factors of cells, and collects why those of others cannot be read."""

    records: Mapping[str, CellRecord]
    _reasons: dict[str, list[str]] = field(default_factory=dict)

    def of(self, series: FigureSeries) -> list[tuple[CellRecord, Gammas]]:
        """Each finished cell of the series with its scaling factors."""
        found = []
        for record in finished_records(series.cells, self.records):
            gammas = read_gammas(record)
            if isinstance(gammas, NoGammas):
                self._reasons.setdefault(gammas.reason, []).append(record.cell.id)
            else:
                found.append((record, gammas))
        return found

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(Problem("damaged", reason, tuple(ids)) for reason, ids in self._reasons.items())


def conv_number(cell: Cell, gammas: Gammas, layer: str) -> int:
    """Number of the encoder's convolution that this norm follows, counted from 1."""
    return first_conv(cell) + list(gammas.layers).index(layer)


def first_conv(cell: Cell) -> int:
    """Number of the convolution that the first constrained norm follows."""
    return _FIRST_CONV[cell.task.kind]


def other_layer_notes(asked: int | None, shown: Iterable[int]) -> tuple[str, ...]:
    """That a figure about one convolution shows another, in networks that have no constrained norm after that one."""
    others = sorted({number for number in shown if number != asked})
    if asked is None or not others:
        return ()
    return (
        f"These networks have no constrained norm after convolution {asked}: convolution "
        f"{' or '.join(map(str, others))} is shown instead.",
    )


def layer_at(cell: Cell, gammas: Gammas, number: int, *, traced: bool) -> str | None:
    """The norm that follows this convolution, or the last one before it; the first one, if there is none.

    With `traced`, only of norms whose path over the training is kept; None where there is no such norm.
    """
    names = [name for name, layer in gammas.layers.items() if not traced or layer.path_TMC is not None]
    up_to = [name for name in names if conv_number(cell, gammas, name) <= number]
    return up_to[-1] if up_to else next(iter(names), None)
