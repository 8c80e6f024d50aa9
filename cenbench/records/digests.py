"""What a result depends on besides its cell: code, data, pretrained weights. Compared, never guessed.

Code digests see what can change a number and nothing else (see `cenbench.records.fingerprint`).
Torch-free: the Snakefile asks for these at every start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from cenbench.data.manifest import manifest_digest
from cenbench.evaluate.task import evaluation_entries, metrics_loaded_by_name, robustness_entries, selection_entries
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.records.fingerprint import code_digest
from cenbench.train.task import loaded_by_name, loading_entries, training_entries


@dataclass(frozen=True)
class Digests:
    """SHA-256 of the code, data and pretrained files behind a result.

    `data` is None while the dataset is not prepared, `pretrained` where the cell rests on no such file or lacks one,
    `pretraining` where the cell starts from no network that is trained here.
    """

    training_code: str
    evaluation_code: str
    data: str | None
    pretrained: str | None = None
    pretraining: str | None = None
    """Of the code that trains the network the cell starts from; its settings and data are in the ids and in `data`."""

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)


def current_digests(cell: Cell, data: Path, pretrained: str | None = None) -> Digests:
    """The digests as of now, for the code on disk and the dataset prepared under `data`.

    `pretrained` is what `cenbench.pretrained.used.pretrained_digest` returns. Raises `UserError` for a manifest that
    cannot be read, or is another dataset's.
    """
    return Digests(
        training_code=training_code(cell),
        evaluation_code=evaluation_code(cell),
        data=data_digest(data / dataset_key(cell.dataset)),
        pretrained=pretrained,
        pretraining=pretraining_code(cell),
    )


def training_code(cell: Cell) -> str:
    """Digest of the code that trains this cell; where the weights are selected, of what scores them too."""
    return _code((*training_entries(cell), *selection_entries(cell)), *_loaded_by_name(cell))


def pretraining_code(cell: Cell) -> str | None:
    """Digest of the code that trains the network this cell starts from; None where none is trained here."""
    return None if cell.pretraining is None else training_code(cell.pretraining)


def evaluation_code(cell: Cell) -> str:
    """Digest of the code that loads this cell's trained network and measures it."""
    return _code((*loading_entries(cell), *evaluation_entries(cell)), *_loaded_by_name(cell))


def robustness_code(cell: Cell) -> str:
    """Digest of the code that measures this cell's trained network under other conditions."""
    return _code((*loading_entries(cell), *robustness_entries(cell)), *_loaded_by_name(cell))


def _loaded_by_name(cell: Cell) -> Iterable[tuple[str, tuple[str, ...]]]:
    return (*loaded_by_name(cell).items(), *metrics_loaded_by_name(cell).items())


@cache
def _code(entries: tuple[str, ...], *chosen: tuple[str, tuple[str, ...]]) -> str:
    return code_digest(entries, dict(chosen))


@cache
def data_digest(folder: Path) -> str | None:
    """Digest of a prepared dataset's manifest; None where it is not prepared."""
    return manifest_digest(folder)
