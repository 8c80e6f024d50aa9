"""Lists the pretrained files, whether each is in place, and which cells of a preset use it. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

from cenbench.errors import UserError
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.pretrained.catalog import ASSETS, Asset
from cenbench.pretrained.used import identified, pretrained_files
from cenbench.sha256_cache import cached_sha256


@dataclass(frozen=True)
class Listed:
    """A pretrained file. `state` in words: absent, published, your own (with its description), or unknown."""

    asset: Asset
    state: str
    cells: tuple[str, ...]
    """Ids of the preset's cells that use it."""
    tables: tuple[str, ...]


def list_pretrained(plan: Plan, paths: Paths) -> list[Listed]:
    """Every file of the catalogue, in its order."""
    needs = {cell_id: pretrained_files(cell) for cell_id, cell in plan.cells.items()}
    return [
        _listed(plan, paths, asset, [cell for cell, files in needs.items() if asset.file in files])
        for asset in ASSETS.values()
    ]


def _listed(plan: Plan, paths: Paths, asset: Asset, cells: list[str]) -> Listed:
    tables = dict.fromkeys(table for cell in cells for table in plan.shown_in(cell))
    return Listed(asset, _state(paths, asset), tuple(cells), tuple(tables))


def _state(paths: Paths, asset: Asset) -> str:
    path = paths.weights / asset.file
    if not path.is_file():
        return "absent"
    try:
        used = identified(path, cached_sha256(path, paths.verified))
    except UserError:
        return "unknown: neither the published file nor described as your own; cells that need it fail"
    return f"your own: {used.own}" if used.own else "published file"
