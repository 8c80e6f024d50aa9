"""Interface of the adapters, which read published datasets as their authors distribute them. No torch.

An adapter has two tasks. `scan` finds the samples of a raw folder and checks that all their files exist; `read` returns
the arrays of one sample. Processes, shards, resuming and the manifest are the task of `cenbench.data.shards`. To add a
dataset, write a subclass in this folder, a line in `cenbench.data.adapters.ADAPTERS`, and a stand-in
`tests/official_NAME.py`, which the conformance suite `tests/test_data_official.py` then reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from cenbench.data.modality import ModalityDeclaration
from cenbench.data.reading import EXCLUDE, read_lines
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

__all__ = ["Adapter", "ModalityDeclaration", "OfficialFile", "Sample", "Scan", "Split", "Unusable"]


Split = Literal["train", "val"]


@dataclass(frozen=True)
class OfficialFile:
    """A file as its authors publish it, and how to recognise it."""

    name: str
    where: str
    """URL, or how to get it in words."""
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Sample:
    """One scene of the prepared dataset, and where its parts are."""

    id: str
    """The name in the dataset's own lists; unique."""
    split: Split
    files: Mapping[str, str] = field(default_factory=dict)
    """Role (`rgb`, `depth`, ...) -> path relative to the raw folder; empty if everything is in one archive."""
    index: int = -1
    """Row in an archive that holds all samples, counted from 0."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Role -> path inside one of the archives in `Scan.sources`, for parts that are not unpacked."""


@dataclass(frozen=True)
class Scan:
    """Contents of a raw folder, in the order of preparation: all of train, then all of val."""

    samples: tuple[Sample, ...]
    modalities: Mapping[str, ModalityDeclaration]
    sources: tuple[str, ...]
    """Archives, lists and other files that samples share, relative to the raw folder; their SHA-256 is in the manifest.
    Files of single samples are in `Sample.files`; the manifest has one digest over their names and sizes."""
    excluded: tuple[tuple[str, str], ...] = ()
    """(id, reason) of every sample of the official lists that is left out; reported, and kept in the manifest."""
    notes: tuple[str, ...] = ()
    """What a reader of its numbers should know of how it is read, in words; reported, and kept in the manifest."""


class Adapter(ABC):
    """A published dataset. Stateless: instances are sent to worker processes."""

    NAME: ClassVar[str]
    """As in `dataset: {name: ...}` of a preset."""
    TITLE: ClassVar[str]
    VERSION: ClassVar[int] = 1
    """Increased when the prepared arrays change; a spec asks for one (`DatasetSpec.version`)."""
    LICENCE: ClassVar[str]
    CITATION: ClassVar[str]
    """BibTeX."""
    URL: ClassVar[str]
    FILES: ClassVar[tuple[OfficialFile, ...]]
    """Files that a user has to get; names are paths relative to the raw folder."""
    CLASSES: ClassVar[tuple[str, ...]] = ()
    """Names of the classes in the order of their labels, which start at 0; void is 255."""

    @abstractmethod
    def scan(self, raw: Path, spec: DatasetSpec) -> Scan:
        """Find every sample, and check everything that can be checked without decoding images.

        Returns exactly `spec.train_scenes` and `spec.val_scenes` samples. Raises `UserError` for a file that is
        missing, truncated or different, a list that names absent files (all in one message: `Unusable`), two versions
        side by side, and fewer samples than the spec asks for.
        """

    @abstractmethod
    def read(self, raw: Path, spec: DatasetSpec, sample: Sample) -> dict[str, np.ndarray]:
        """Arrays of one sample by modality, of size `spec.shape_px` and the declared type, aligned to the pixel.

        Labels and depth are resized to the nearest pixel, everything else bilinearly. Runs in worker processes. Raises
        `UserError` naming the file for an unexpected size or bit depth, a label out of range, and depth that is NaN.
        """


class Unusable:
    """Collects the problems of single samples, so that all of them are reported at once."""

    SHOWN = 20

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        """(id of a sample or file, problem)."""

    def add(self, item: str, problem: str) -> None:
        self.problems.append((item, problem))

    def refuse(self, raw: Path, problem: str, fix: str) -> None:
        """Raise one `UserError` that names them (the first 20, then a count); does nothing if there are none."""
        if not self.problems:
            return
        lines = [f"{item}: {reason}" for item, reason in self.problems[: self.SHOWN]]
        if len(self.problems) > self.SHOWN:
            lines.append(f"and {len(self.problems) - self.SHOWN} more")
        raise UserError(
            f"{problem}: {len(self.problems)}", where=raw, found="\n    ".join(["", *lines]).lstrip("\n"), fix=fix
        )


def read_excluded(raw: Path) -> dict[str, str]:
    """Id -> reason of every sample that the raw folder's exclude list names; empty without a list.

    For published images that are damaged at their source: without a list, every file must be usable. Raises `UserError`
    for a list that is there and cannot be read, a link that leads nowhere included.
    """
    path = raw / EXCLUDE
    if not path.is_symlink() and not path.exists():
        return {}
    lines = (line.split(maxsplit=1) for _, line in read_lines(path, fix="write one sample per line, or remove it"))
    return {sample: (reason[0] if reason else f"named in {EXCLUDE}") for sample, *reason in lines}


def choose(raw: Path, spec: DatasetSpec, train: list[Sample], val: list[Sample]) -> tuple[Sample, ...]:
    """As many samples of each split as the spec asks for, train first, in the order of the lists.

    Samples of the exclude list are left out first. From a longer list, a subset is drawn with `spec.seed`. Raises
    `UserError` for a shorter one, and for samples that are in both halves or twice in one.
    """
    excluded = read_excluded(raw)
    if unknown := excluded.keys() - {sample.id for sample in (*train, *val)}:
        raise UserError(
            f"{EXCLUDE} names samples that this dataset does not have", where=raw / EXCLUDE,
            found=", ".join(sorted(unknown)[:20]), expected=f"names such as {', '.join(s.id for s in train[:1])}",
        )  # fmt: skip
    train, val = ([sample for sample in half if sample.id not in excluded] for half in (train, val))
    _refuse_repeated(raw, [*train, *val])
    chosen: list[Sample] = []
    for number, (split, have, want) in enumerate((("train", train, spec.train_scenes), ("val", val, spec.val_scenes))):
        if len(have) < want:
            raise UserError(
                f"too few samples for {split}",
                where=raw,
                key=f"dataset.{split}_scenes",
                found=f"{len(have)}, without those in {EXCLUDE}" if excluded else len(have),
                expected=f"{want}, as in the preset",
                fix=f"get the rest of the dataset, or lower {split}_scenes in the preset",
            )
        rows = np.sort(np.random.default_rng([spec.seed, number]).permutation(len(have))[:want])
        chosen += [have[row] for row in rows]
    return tuple(chosen)


def _refuse_repeated(raw: Path, samples: list[Sample]) -> None:
    """Raise `UserError` naming both places of every id that occurs twice: it would be trained on and scored, or count
    double.
    """
    seen: dict[str, Sample] = {}
    repeated = Unusable()
    for sample in samples:
        first = seen.setdefault(sample.id, sample)
        if first is sample:
            continue
        places = [next(iter({**same.files, **same.members}.values()), "") for same in (first, sample)]
        paths = f" ({places[0]} and {places[1]})" if places[0] != places[1] else ""
        half = f"twice in {sample.split}" if first.split == sample.split else f"in {first.split} and in {sample.split}"
        repeated.add(sample.id, half + paths)
    repeated.refuse(
        raw, "samples are in both halves, or twice in one", "keep each once: remove one of the two files or lines"
    )
