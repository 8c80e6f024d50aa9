"""What a result depends on besides its cell: code, data, pretrained weights. Compared, never guessed.

Code digests ignore comments and docstrings, so editing the docs runs nothing (see `cenbench.records.fingerprint`).
Torch-free: the Snakefile asks for these at every start.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from cenbench.data.manifest import manifest_digest
from cenbench.evaluate.task import evaluation_modules, selection_modules
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.records.fingerprint import code_digest
from cenbench.train.task import training_modules


@dataclass(frozen=True)
class Digests:
    """SHA-256 of the code, data and pretrained files behind a result.

    `data` is None while the dataset is not prepared, `pretrained` where the cell rests on no such file or lacks one.
    """

    training_code: str
    evaluation_code: str
    data: str | None
    pretrained: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)


def current_digests(cell: Cell, data: Path, pretrained: str | None = None) -> Digests:
    """The digests as of now, for the code on disk and the dataset prepared under `data`.

    `pretrained` is what `cenbench.pretrained.used.pretrained_digest` says.
    """
    return Digests(
        training_code=training_code(cell),
        evaluation_code=evaluation_code(cell),
        data=_data_digest(data / dataset_key(cell.dataset)),
        pretrained=pretrained,
    )


def training_code(cell: Cell) -> str:
    """Of the code that trains this cell: its task's, and its own fusion method's and head's, which are loaded by name.

    Where weights are chosen by measuring them, the code that measures is training code too.
    """
    return _code((*training_modules(cell), *selection_modules(cell)))


def evaluation_code(cell: Cell) -> str:
    """Of the code that trains and measures this cell."""
    return _code((*training_modules(cell), *evaluation_modules(cell)))


@cache
def _code(entries: tuple[str, ...]) -> str:
    return code_digest(entries)


@cache
def _data_digest(folder: Path) -> str | None:
    return manifest_digest(folder)
