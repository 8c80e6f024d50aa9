"""What reads a published dataset as its authors distribute it. One file a dataset; no torch here.

An adapter answers two questions. `scan`: which samples are in a raw folder, and is everything there that they need?
`read`: what are the arrays of one sample? What lies between (processes, shards, resuming, the manifest) is
`cenbench.data.shards`. To add a dataset: a subclass here, a line in `cenbench.data.adapters.ADAPTERS`, and a stand-in
in `tests/official_files.py`, which the conformance suite `tests/test_data_official.py` then reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from cenbench.data.modality import ModalityDeclaration
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

__all__ = ["Adapter", "ModalityDeclaration", "OfficialFile", "Sample", "Scan", "Split", "Unusable"]


Split = Literal["train", "val"]


@dataclass(frozen=True)
class OfficialFile:
    """A file as its authors publish it, and how to know it again."""

    name: str
    where: str
    """Address, or in words how to get it."""
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Sample:
    """One scene of the prepared dataset and where its parts lie."""

    id: str
    """As the dataset's own lists call it; unique."""
    split: Split
    files: Mapping[str, str] = field(default_factory=dict)
    """Role (`rgb`, `depth`, ...) -> path below the raw folder; empty where all is in one archive."""
    index: int = -1
    """Row in an archive that holds all samples, counted from 0."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Role -> path inside one of the archives among `Scan.sources`, for parts that are not unpacked."""


@dataclass(frozen=True)
class Scan:
    """What a raw folder holds, in the order it is to be prepared: all of train, then all of val."""

    samples: tuple[Sample, ...]
    modalities: Mapping[str, ModalityDeclaration]
    sources: tuple[str, ...]
    """Archives, lists and other files the samples share, below the raw folder: the manifest keeps a SHA-256 of each.
    Files of single samples are in `Sample.files` and are kept as one digest over their names and sizes."""
    excluded: tuple[tuple[str, str], ...] = ()
    """(id, reason) of every sample of the official lists that is left out: counted, reported, kept in the manifest."""


class Adapter(ABC):
    """A published dataset. Stateless: instances are sent to worker processes."""

    NAME: ClassVar[str]
    """As in `dataset: {name: ...}` of a preset."""
    TITLE: ClassVar[str]
    VERSION: ClassVar[int] = 1
    """Raised when what is written changes; a spec asks for one (`DatasetSpec.version`)."""
    LICENCE: ClassVar[str]
    CITATION: ClassVar[str]
    """BibTeX."""
    URL: ClassVar[str]
    FILES: ClassVar[tuple[OfficialFile, ...]]
    """What a user has to get; names are paths below the raw folder."""
    CLASSES: ClassVar[tuple[str, ...]] = ()
    """Names of the classes in the order of their labels, which begin at 0; void is 255."""

    @abstractmethod
    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        """Find every sample and check all that can be checked without decoding images.

        Exactly `spec.train_scenes` and `spec.val_scenes` samples. `UserError`: a file missing, truncated or another
        one, a list that names absent files (all in one message: `Unusable`), two versions side by side, fewer samples
        than the spec asks for.
        """

    @abstractmethod
    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        """Arrays of one sample by modality, `spec.shape_px`, of the declared type, aligned to the pixel.

        Labels and depth are resized by the nearest pixel, all else bilinearly. Runs in worker processes. `UserError`
        names the file: odd size or bit depth, a label out of range, depth that is not a number.
        """


class Unusable:
    """Collects what is wrong with single samples, so that a user hears of all of it at once."""

    SHOWN = 20

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        """(id of a sample or file, what is wrong)."""

    def add(self, what: str, problem: str) -> None:
        self.problems.append((what, problem))

    def refuse(self, raw: Path, problem: str, fix: str) -> None:
        """Raise one `UserError` that names them all (twenty, and how many more); nothing where all is well."""
        if not self.problems:
            return
        lines = [f"{what}: {why}" for what, why in self.problems[: self.SHOWN]]
        if len(self.problems) > self.SHOWN:
            lines.append(f"and {len(self.problems) - self.SHOWN} more")
        raise UserError(
            f"{problem}: {len(self.problems)}", where=raw, found="\n    ".join(["", *lines]).lstrip("\n"), fix=fix
        )


def choose(raw: Path, spec: DatasetSpec, train: list[Sample], val: list[Sample]) -> tuple[Sample, ...]:
    """As many samples of each split as the spec asks for, train first, in the order of the lists.

    All of a list that is just as long; of a longer one a subset drawn with `spec.seed`. A shorter one is a `UserError`.
    """
    chosen: list[Sample] = []
    for number, (split, have, want) in enumerate((("train", train, spec.train_scenes), ("val", val, spec.val_scenes))):
        if len(have) < want:
            raise UserError(
                f"too few samples for {split}",
                where=raw,
                key=f"dataset.{split}_scenes",
                found=len(have),
                expected=f"{want}, as the preset asks",
                fix=f"get the rest of the dataset, or lower {split}_scenes in the preset",
            )
        rows = np.sort(np.random.default_rng([spec.seed, number]).permutation(len(have))[:want])
        chosen += [have[row] for row in rows]
    return tuple(chosen)
