"""Which pretrained files a cell needs, and which bytes they are. Torch-free: the Snakefile asks at every start.

A file is known by its SHA-256. One that is not the published file is only used where a person has said what it is
(`cenbench weights add --own`), and then every number that rests on it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cenbench.errors import UserError
from cenbench.files import digest, read_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import metrics_that_need
from cenbench.matrix.specs import SegmentationNet, TranslationEvaluation
from cenbench.paths import Paths
from cenbench.pretrained.catalog import BY_FILE, IMAGENET_FILES, INCEPTION_FILE
from cenbench.sha256_cache import cached_sha256


@dataclass(frozen=True)
class UsedFile:
    """A pretrained file that is here. `own` says in a person's words what it is, where it is not the published one."""

    file: str
    sha256: str
    own: str | None = None


def pretrained_files(cell: Cell) -> list[str]:
    """File names below weights/ that the cell is trained from or measured with."""
    files = []
    if isinstance(cell.network, SegmentationNet) and cell.network.pretrained:
        files.append(IMAGENET_FILES[cell.network.depth])
    if isinstance(cell.evaluation, TranslationEvaluation) and cell.evaluation.extractor == "inception-v3":
        files.append(INCEPTION_FILE)
    return files


def trained_with(cell: Cell) -> list[str]:
    """Those of `pretrained_files` that can change the trained weights, not only what is measured of them."""
    selects = cell.protocol.selection == "best"
    return [name for name in pretrained_files(cell) if name != INCEPTION_FILE or selects]


def pretrained_sha256(cell: Cell, paths: Paths) -> dict[str, str | None]:
    """File -> SHA-256 of what is there now, None where it is absent."""
    return {name: _sha256(paths, name) for name in pretrained_files(cell)}


def pretrained_digest(cell: Cell, paths: Paths) -> str | None:
    """One digest of all the files a cell rests on; None where it rests on none, or one of them is absent."""
    found = pretrained_sha256(cell, paths)
    return digest(found) if found and None not in found.values() else None


def used_files(cell: Cell, paths: Paths) -> tuple[UsedFile, ...]:
    """The cell's pretrained files that are here; an absent one is for its reader to miss.

    Raises `UserError` for a file that is not the published one and that nobody has called their own.
    """
    found = pretrained_sha256(cell, paths).items()
    return tuple(identified(paths.weights / name, sha256) for name, sha256 in found if sha256)


def identified(path: Path, sha256: str) -> UsedFile:
    """Which file of that SHA-256 lies at `path`; `UserError` where it is neither published nor somebody's own."""
    asset = BY_FILE[path.name]
    if asset.is_published(sha256):
        return UsedFile(path.name, sha256)
    note = own_note(path)
    if note.exists():
        said = read_json(note)
        if isinstance(said, dict) and said.get("sha256") == sha256 and isinstance(said.get("what"), str):
            return UsedFile(path.name, sha256, said["what"])
    raise UserError(
        "this is not the published file of that name, and nobody has said what it is",
        where=path,
        key="sha256",
        found=sha256,
        expected=asset.sha256 + ("..." if len(asset.sha256) < 64 else ""),
        fix=f"put the file of {asset.url} there; or, for weights of your own: "
        f"cenbench weights add {asset.name} FILE --own 'WHAT THEY ARE' --replace",
    )


def training_identity(cell: Cell, training_code: str, data: str, used: Iterable[UsedFile]) -> dict[str, str]:
    """What the cell's weights are made by: code and data (digests), and the SHA-256 of each file they start from."""
    made_by = {"training_id": cell.training_id, "training_code": training_code, "data": data}
    return made_by | {each.file: each.sha256 for each in used if each.file in trained_with(cell)}


def with_gone_files(
    used: tuple[UsedFile, ...], cell: Cell, made_by: Mapping[str, str], paths: Paths
) -> tuple[UsedFile, ...]:
    """`used`, and the files that weights were trained from (`made_by`: file -> SHA-256) and that are no longer here.

    So that a mark of one's own weights cannot be lost by deleting them.
    """
    here = {each.file for each in used}
    gone = []
    for name in trained_with(cell):
        if name in made_by and name not in here:
            try:
                gone.append(identified(paths.weights / name, made_by[name]))
            except UserError:
                gone.append(UsedFile(name, made_by[name], "a file that is no longer here"))
    return (*used, *gone)


def own_note(path: Path) -> Path:
    """Where it is written that the file at `path` is somebody's own, and what it is."""
    return path.with_name(f"{path.name}.own.json")


def own_labels(used: Iterable[UsedFile], metrics: Iterable[str]) -> dict[str, str]:
    """metric -> why its numbers rest on other weights than the published ones; such a number is never comparable."""
    labels: dict[str, str] = {}
    for each in used:
        if each.own and each.file == INCEPTION_FILE:
            label = f"features of an Inception that is not the published one ({each.own})"
            labels |= dict.fromkeys(metrics_that_need("features"), label)
        elif each.own:
            label = f"an encoder that started from other weights than the published ones ({each.own})"
            labels |= dict.fromkeys(metrics, label)
    return labels


def _sha256(paths: Paths, name: str) -> str | None:
    path = paths.weights / name
    return cached_sha256(path, paths.verified) if path.is_file() else None
