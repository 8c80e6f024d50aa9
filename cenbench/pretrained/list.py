"""Lists the pretrained files, whether each is in place, and which cells of a preset use it. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cenbench.errors import UserError
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths
from cenbench.pretrained.catalog import ASSETS, EMBEDDED, Asset
from cenbench.pretrained.used import identified, pretrained_files
from cenbench.regular_file import Unreadable, is_file, is_there
from cenbench.sha256_cache import cached_sha256

State = Literal["published file", "your own", "absent", "unusable", "trained", "not trained yet"]
"""Of a file: the first two are usable. Of a network that is trained here: one of the last two."""


_NOT_IDENTIFIED = "neither the published file nor described as your own"


@dataclass(frozen=True)
class Listed:
    """A pretrained file, or a network that a cell of the preset trains."""

    name: str
    file: str
    """Name in weights/; of a network that is trained here, the id of its cell."""
    state: State
    source: str
    """Where it comes from: a URL, or the command that trains it."""
    cells: tuple[str, ...]
    """Ids of the preset's cells that use it."""
    tables: tuple[str, ...]
    detail: str | None = None
    """The user's description of an own file; why a file is unusable."""

    @property
    def words(self) -> str:
        """The state, and what there is to say about it."""
        return self.state if self.detail is None else f"{self.state}: {self.detail}"


def list_pretrained(plan: Plan, paths: Paths) -> list[Listed]:
    """Every file of the catalogue, in its order, then the networks that the preset's cells train for others."""
    needs = {cell_id: pretrained_files(cell) for cell_id, cell in plan.cells.items()}
    files = [
        _listed(plan, paths, asset, [id_ for id_, names in needs.items() if asset.file in names])
        for asset in ASSETS.values()
    ]
    return [*files, *(_trained_here(plan, paths, cell_id, cells) for cell_id, cells in plan.pretrainings.items())]


def _listed(plan: Plan, paths: Paths, asset: Asset, cells: list[str]) -> Listed:
    tables = dict.fromkeys(table for cell in cells for table in plan.shown_in(cell))
    state, detail = _state(paths, asset)
    return Listed(asset.name, asset.file, state, asset.url, tuple(cells), tuple(tables), detail)


def _trained_here(plan: Plan, paths: Paths, cell_id: str, cells: tuple[str, ...]) -> Listed:
    trained: State = "trained" if is_file(paths.record(plan.cell(cell_id))) else "not trained yet"
    source = f"cenbench run '{cell_id}' --preset {plan.preset}"
    return Listed(EMBEDDED, cell_id, trained, source, cells, plan.shown_in(cell_id))


def _state(paths: Paths, asset: Asset) -> tuple[State, str | None]:
    path = paths.weights / asset.file
    if not is_there(path):
        return "absent", None
    try:
        used = identified(path, cached_sha256(path, paths.verified))
    except Unreadable as error:
        return "unusable", error.problem
    except UserError as error:
        return "unusable", _NOT_IDENTIFIED if is_file(path) else error.problem
    return ("your own", used.own) if used.own else ("published file", None)
