"""Where the files of a run are, all below the folder of the checkout. Every other module asks here for their names."""
# changes no number: where files lie

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cenbench.matrix.cell import Cell

PUBLISHING = ".publishing"
"""Suffix of a cell's folder until its record is complete."""


@dataclass(frozen=True)
class Paths:
    """The layout of docs/architecture.md, 'Files a run makes'. `root` is the checkout, or any folder in tests."""

    root: Path

    @property
    def params(self) -> Path:
        return self.root / "params"

    @property
    def data(self) -> Path:
        return self.root / "data" / "prepared"

    @property
    def raw(self) -> Path:
        """Official files of published datasets, one folder per dataset."""
        return self.root / "data" / "raw"

    @property
    def weights(self) -> Path:
        """Pretrained weights that the user has added; nothing is ever downloaded."""
        return self.root / "weights"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def cells(self) -> Path:
        """Published outputs, one folder per cell; see `cell`."""
        return self.results / "cells"

    @property
    def states(self) -> Path:
        """Resumable states and weights, one folder per training; see `state`."""
        return self.results / "state"

    @property
    def logs(self) -> Path:
        return self.results / "logs"

    @property
    def features(self) -> Path:
        return self.results / "features"

    def registration(self, preset: str) -> Path:
        """The claims as they were declared when the preset's first cell started (`cenbench.records.registration`)."""
        return self.results / "registered" / f"{preset}.json"

    @property
    def robustness_scores(self) -> Path:
        """Scores with corrupted and absent inputs, one file per cell; see `robustness`."""
        return self.results / "robustness"

    def robustness(self, cell: Cell) -> Path:
        """The cell's scores with corrupted and absent inputs (`cenbench.records.robustness`). Snakemake owns it."""
        return self.robustness_scores / f"{cell.id}.json"

    @property
    def corollary_results(self) -> Path:
        """What corollary 1's construction gave, one file per cell; see `corollary`."""
        return self.results / "corollary"

    def corollary(self, cell: Cell) -> Path:
        """Corollary 1 on the cell's weights (`cenbench.records.corollary`). Snakemake owns it."""
        return self.corollary_results / f"{cell.id}.json"

    @property
    def verified(self) -> Path:
        """Cached SHA-256 of large files (`cenbench.sha256_cache`)."""
        return self.results / "verified"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def published(self) -> Path:
        """The pages that DVC versions, with every file that they link to; the layout is that of `reports`."""
        return self.root / "published"

    def cell(self, cell: Cell) -> Path:
        """Folder of the published record. Snakemake owns it and may delete its files."""
        return self.cells / cell.id

    def record(self, cell: Cell) -> Path:
        """The cell's numbers. Written last: if it exists, the record is complete."""
        return self.cell(cell) / "metrics.json"

    def provenance(self, cell: Cell) -> Path:
        """How, when and where the cell's numbers were made."""
        return self.cell(cell) / "provenance.json"

    def state(self, cell: Cell) -> Path:
        """Folder of the resumable state and the weights. Only the run that holds its lock writes here."""
        return self.states / cell.training_id

    def failure(self, cell: Cell) -> Path:
        """Why the cell's last run failed (`cenbench.records.failure`)."""
        return self.state(cell) / "failure.json"

    def run_log(self, cell: Cell) -> Path:
        """The log of all runs of the cell."""
        return self.state(cell) / "run.log"

    def log(self, cell: Cell) -> Path:
        """The log of the last run, which Snakemake owns."""
        return self.logs / f"{cell.id}.log"


RELATIVE = Paths(Path())
"""The layout relative to the checkout, as Snakemake's files are named."""


def record_target(cell: Cell) -> str:
    """The cell's record as a target of Snakemake."""
    return RELATIVE.record(cell).as_posix()


def robustness_target(cell: Cell) -> str:
    """The cell's scores with corrupted and absent inputs, as a target of Snakemake."""
    return RELATIVE.robustness(cell).as_posix()


def corollary_target(cell: Cell) -> str:
    """Corollary 1 on the cell's weights, as a target of Snakemake."""
    return RELATIVE.corollary(cell).as_posix()
