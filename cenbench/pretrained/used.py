"""Which pretrained files a cell uses, and which bytes they hold. Torch-free: the Snakefile asks at every start.

Files are identified by their SHA-256. A file other than the published one is used only after the user has described it
(`cenbench weights add --own`), and every number that depends on it is then labelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import LARGEST_WEIGHTS_BYTES, digest, read_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import metrics_that_need
from cenbench.paths import Paths
from cenbench.pretrained.catalog import BY_FILE, IMAGENET_FILES, INCEPTION_FILE
from cenbench.regular_file import check_size, is_file, open_regular
from cenbench.sha256_cache import cached_sha256


@dataclass(frozen=True)
class UsedFile:
    """A pretrained file in weights/. `own` is the user's description, if it is not the published file."""

    file: str
    sha256: str
    own: str | None = None


def pretrained_files(cell: Cell) -> list[str]:
    """Names of the files in weights/ that the cell is trained from or evaluated with."""
    depth = cell.network.imagenet_depth
    files = [] if depth is None else [IMAGENET_FILES[depth]]
    return [*files, INCEPTION_FILE] if cell.evaluation.reads_inception else files


def trained_with(cell: Cell) -> list[str]:
    """Those of `pretrained_files` that can change the trained weights, not only their evaluation."""
    selects = cell.protocol.selection == "best"
    return [name for name in pretrained_files(cell) if name != INCEPTION_FILE or selects]


def pretrained_sha256(cell: Cell, paths: Paths, sha256: Callable[[Path], str] | None = None) -> dict[str, str | None]:
    """File -> its present SHA-256, or None if it is absent. By default digests are noted, so that files are read once;
    a caller that must write nothing passes its own `sha256`.
    """
    read = sha256 or (lambda path: cached_sha256(path, paths.verified))
    files = {name: paths.weights / name for name in pretrained_files(cell)}
    return {name: _read(path, read) if is_file(path) else None for name, path in files.items()}


def _read(path: Path, sha256: Callable[[Path], str]) -> str:
    """Its SHA-256; `UserError` for a file too large to be weights, before it is read."""
    with open_regular(path) as file:
        check_size(file, path, LARGEST_WEIGHTS_BYTES)
    return sha256(path)


def pretrained_digest(cell: Cell, paths: Paths, sha256: Callable[[Path], str] | None = None) -> str | None:
    """One digest of all files the cell uses; None if it uses no file, or one is absent. See `pretrained_sha256`."""
    found = pretrained_sha256(cell, paths, sha256)
    return digest(found) if found and None not in found.values() else None


def used_files(cell: Cell, paths: Paths) -> tuple[UsedFile, ...]:
    """The cell's pretrained files that are in weights/; whoever reads an absent one reports it.

    Raises `UserError` for a file that is neither the published one nor described by the user.
    """
    found = pretrained_sha256(cell, paths).items()
    return tuple(identified(paths.weights / name, sha256) for name, sha256 in found if sha256)


def identified(path: Path, sha256: str) -> UsedFile:
    """The file at `path`, which has that SHA-256; `UserError` if it is neither published nor described by the user."""
    asset = BY_FILE[path.name]
    if asset.is_published(sha256):
        return UsedFile(path.name, sha256)
    note = own_note(path)
    if note.exists():
        found = read_json(note)
        if isinstance(found, dict) and found.get("sha256") == sha256 and isinstance(found.get("what"), str):
            return UsedFile(path.name, sha256, found["what"])
    raise UserError(
        "this is not the published file of that name, and it has no description",
        where=path,
        key="sha256",
        found=sha256,
        expected=asset.sha256 + ("..." if len(asset.sha256) < 64 else ""),
        fix=f"replace it with {asset.url}; or, for weights of your own: "
        f"cenbench weights add {asset.name} FILE --own 'DESCRIPTION' --replace",
    )


def training_identity(
    cell: Cell, training_code: str, data: str, used: Iterable[UsedFile], pretraining_code: str | None = None
) -> dict[str, str]:
    """What determines the cell's weights: digests of code and data, and the SHA-256 of each file they start from.

    `pretraining_code` is the digest of the code that trains the network they start from, where one is trained here.
    """
    made_by = {"training_id": cell.training_id, "training_code": training_code, "data": data}
    made_by |= {"pretraining_code": pretraining_code} if pretraining_code else {}
    return made_by | {file.file: file.sha256 for file in used if file.file in trained_with(cell)}


def with_gone_files(
    used: tuple[UsedFile, ...], cell: Cell, made_by: Mapping[str, str], paths: Paths
) -> tuple[UsedFile, ...]:
    """`used`, and the files that the weights were trained from (`made_by`: file -> SHA-256) but that have been deleted.

    Deleting a file of one's own must not remove the label from the numbers that depend on it.
    """
    here = {file.file for file in used}
    gone = []
    for name in trained_with(cell):
        if name in made_by and name not in here:
            try:
                gone.append(identified(paths.weights / name, made_by[name]))
            except UserError:
                gone.append(UsedFile(name, made_by[name], "a file that has been deleted"))
    return (*used, *gone)


def own_note(path: Path) -> Path:
    """The note with the user's description of the file at `path`."""
    return path.with_name(f"{path.name}.own.json")


def own_labels(used: Iterable[UsedFile], metrics: Iterable[str]) -> dict[str, str]:
    """metric -> label, for numbers that depend on weights other than the published ones: they are never comparable."""
    labels: dict[str, str] = {}
    for file in used:
        if file.own and file.file == INCEPTION_FILE:
            label = f"features of an Inception that is not the published one ({file.own})"
            labels |= dict.fromkeys(metrics_that_need("features"), label)
        elif file.own:
            label = f"an encoder that started from weights other than the published ones ({file.own})"
            labels |= dict.fromkeys(metrics, label)
    return labels
