"""What the pages of cells share: records of siblings and other seeds, training curves, classes. Each is read once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from cenbench.matrix.specs import DatasetSpec
from cenbench.records.read import CellRecord
from cenbench.report.class_legend import Legend, class_legend, class_names
from cenbench.report.curves import Band, read_history, spread
from cenbench.report.siblings import Seeds, seeds

History = Mapping[str, list[float]]
_MOST_HISTORIES = 128
"""Histories kept in memory: the seeds of a few networks, whose pages are rendered one after another."""
_MOST_NETWORKS = 8


class Spread(NamedTuple):
    """How the seeds of a network differ while it trains, and how many of them have a history. The same on the page of
    each: worked out once.
    """

    bands: Mapping[str, Band]
    seeds: int


class CellSources:
    """Records by cell id, and what is read from their files. A cell without a record here is as one not run yet.

    `pages` are the ids of the cells that have a page, or get one: only these are linked.
    """

    def __init__(self, records: Mapping[str, CellRecord], pages: Collection[str] = ()) -> None:
        self.records = records
        self.pages = frozenset(pages)
        self.history = lru_cache(_MOST_HISTORIES)(self._history)
        self.spread = lru_cache(_MOST_NETWORKS)(self._spread)
        self.seeds = lru_cache(_MOST_NETWORKS)(self._seeds)
        self._legends: dict[DatasetSpec, Legend] = {}

    def legend(self, record: CellRecord) -> Legend:
        """The classes of the cell's dataset with their colours; empty for other tasks than segmentation."""
        if record.cell.task.kind != "segmentation":
            return ()
        dataset = record.cell.dataset
        if dataset not in self._legends:
            self._legends[dataset] = class_legend(class_names(record))
        return self._legends[dataset]

    def _history(self, cell_id: str) -> History:
        record = self.records.get(cell_id)
        return read_history(record.history) if record is not None and record.state == "ok" else {}

    def _spread(self, cells: tuple[str, ...], columns: tuple[str, ...]) -> Spread:
        histories = [self.history(cell_id) for cell_id in cells]
        return Spread(spread(columns, histories), sum(map(bool, histories)))

    def _seeds(self, ids: tuple[tuple[int, str], ...], stream: str, shown: tuple[str, ...]) -> Seeds | None:
        return seeds(dict(ids), stream, shown, self.records)
