"""Robustness: which trained cells are evaluated once more, and under which conditions. `params/robustness.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from cenbench.matrix.cell import Cell
from cenbench.matrix.claims import Selector
from cenbench.matrix.condition import ACTS_ON, CLEAN, EXPOSURES, STRONGEST, Condition, Kind
from cenbench.matrix.plan import Plan
from cenbench.matrix.preset import TableName, preset_names
from cenbench.matrix.selector_issues import unknown_methods, unknown_settings
from cenbench.matrix.specs import Frozen, Name, PositiveFloat
from cenbench.matrix.table import table_names
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint
from cenbench.matrix.yaml_file import is_given, load_model

FILE = "robustness.yaml"
EXPOSED_DATASETS = ("synthrooms",)
"""Datasets that tell how each scene is exposed."""


class Selection(Frozen):
    """Cells of some tables."""

    tables: Annotated[tuple[TableName, ...], Field(min_length=1)]
    cells: Selector = Field(default_factory=Selector)
    """Which of their cells; by default all."""


class RobustnessSpec(Frozen):
    """The conditions, and the cells of each preset that are evaluated under them."""

    corruptions: dict[Kind, Annotated[tuple[PositiveFloat, ...], Field(min_length=1, max_length=20)]] = Field(
        default_factory=dict
    )
    """Kind -> strengths, weakest first."""
    absent: bool = True
    """Each input in turn is absent."""
    exposure: bool = True
    """Score the scenes of each exposure by themselves, where the dataset tells."""
    presets: dict[Name, tuple[Selection, ...]] = Field(default_factory=dict)
    """Preset -> the cells that its robustness page shows."""

    @field_validator("corruptions")
    @classmethod
    def _possible(cls, corruptions: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for kind, strengths in corruptions.items():
            if list(strengths) != sorted(set(strengths)):
                raise ValueError(f"{kind}: strengths must increase")
            written = [Condition(kind, strength).label for strength in strengths]
            for label in written:
                if written.count(label) > 1:
                    raise ValueError(f"{kind}: two strengths are both written {label}, with six digits")
            if strengths[-1] > STRONGEST[kind]:
                raise ValueError(f"{kind}: {strengths[-1]:g} is more than {STRONGEST[kind]:g}, the largest strength")
        return corruptions

    def conditions(self, cell: Cell) -> tuple[Condition, ...]:
        """Everything that the cell is evaluated under, without corruption first."""
        return (CLEAN, *self._corrupted(cell), *self._without_one(cell), *self._exposed(cell))

    def _corrupted(self, cell: Cell) -> Iterator[Condition]:
        for kind, strengths in self.corruptions.items():
            acted_on = [name for name in cell.task.inputs if name.partition("_")[0] == ACTS_ON[kind]]
            for of in acted_on[:1]:
                yield from (Condition(kind, strength, of) for strength in strengths)

    def _without_one(self, cell: Cell) -> Iterator[Condition]:
        if not self.absent or len(cell.task.inputs) == 1:
            return
        yield from (Condition("absent", of=name) for name in cell.task.inputs)
        if not cell.merged:
            yield from (Condition("left_out", of=name) for name in cell.task.inputs)

    def _exposed(self, cell: Cell) -> Iterator[Condition]:
        if self.exposure and cell.dataset.name in EXPOSED_DATASETS and "rgb" in cell.task.inputs:
            yield from (Condition("exposure", of=exposure) for exposure in EXPOSURES)


@dataclass(frozen=True)
class RobustnessPlan:
    """The cells of a preset that its robustness page shows."""

    spec: RobustnessSpec
    cells: Mapping[str, Cell]
    """Id -> cell, in reading order of the tables."""

    @property
    def evaluations(self) -> int:
        """How often the test images pass through a network; scores by exposure come with the clean ones."""
        return evaluations(self.spec, self.cells.values())

    def with_cells(self, cells: Mapping[str, Cell]) -> RobustnessPlan:
        """The same with more cells, such as those that claims need."""
        return replace(self, cells={**self.cells, **cells})


def evaluations(spec: RobustnessSpec, cells: Iterable[Cell]) -> int:
    """How often the test images pass through the networks of these cells."""
    return sum(condition.kind != "exposure" for cell in cells for condition in spec.conditions(cell))


def load_robustness(params: Path) -> RobustnessSpec:
    """Read `params/robustness.yaml`; without it, nothing is evaluated.

    Raises one `UserError` for an invalid file, and for unknown presets, tables and fusion methods.
    """
    if not is_given(params / FILE):
        return RobustnessSpec()
    spec = load_model(params / FILE, RobustnessSpec)
    if issues := list(_unknown_names(spec, params)):
        raise as_user_error(params / FILE, issues)
    return spec


def plan_robustness(params: Path, plan: Plan) -> RobustnessPlan:
    """The cells that the preset evaluates. Raises `UserError` for an entry that selects no cell of its tables."""
    spec = load_robustness(params)
    found: dict[str, Cell] = {}
    issues = []
    for place, selection in enumerate(spec.presets.get(plan.preset, ())):
        key = f"presets.{plan.preset}[{place}]"
        tables = [table for table in plan.tables if table.name in selection.tables]
        names = [table.name for table in plan.tables]
        issues += [
            Issue(f"{key}.tables", "not a table of this preset", name, ", ".join(names), spelling_hint(name, names))
            for name in selection.tables
            if name not in names
        ]
        unknown = list(unknown_settings(selection.cells, f"{key}.cells", plan.shown))
        issues += unknown
        cells = {cell.id: cell for table in tables for cell in table.cells if selection.cells.selects(cell)}
        found |= cells
        if not cells and not unknown and tables and all(table.whole for table in tables):
            problem = f"no cell of {', '.join(selection.tables)} is selected"
            issues.append(Issue(f"{key}.cells", problem))
    if issues:
        raise as_user_error(params / FILE, issues)
    return RobustnessPlan(spec, {cell_id: cell for cell_id, cell in plan.cells.items() if cell_id in found})


def _unknown_names(spec: RobustnessSpec, params: Path) -> Iterator[Issue]:
    known_presets, known_tables = preset_names(params), table_names(params)
    for preset, selections in spec.presets.items():
        if preset not in known_presets:
            hint = spelling_hint(preset, known_presets)
            yield Issue(f"presets.{preset}", "unknown preset", short_repr(preset), ", ".join(known_presets), hint)
        for place, selection in enumerate(selections):
            key = f"presets.{preset}[{place}]"
            for name in selection.tables:
                if name not in known_tables:
                    hint = spelling_hint(name, known_tables)
                    yield Issue(f"{key}.tables", "unknown table", short_repr(name), ", ".join(known_tables), hint)
            yield from unknown_methods(selection.cells, f"{key}.cells")
