"""The plan: every table of a preset, and the cells they need, each once however many tables ask for it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell, Task
from cenbench.matrix.expand import expand
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.paper_numbers import read_paper_numbers
from cenbench.matrix.preset import CostModel, load_preset
from cenbench.matrix.table import load_table
from cenbench.matrix.validation import short_repr, spelling_hint


@dataclass(frozen=True)
class Plan:
    """What is to be run, and where each number goes."""

    preset: str
    description: str
    tables: tuple[TableLayout, ...]
    cost: CostModel

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """id -> cell, in reading order of the tables."""
        return {cell.id: cell for table in self.tables for cell in table.cells}

    @cached_property
    def _tables_of(self) -> Mapping[str, tuple[str, ...]]:
        names: dict[str, tuple[str, ...]] = {}
        for table in self.tables:
            for cell in table.cells:
                names[cell.id] = (*names.get(cell.id, ()), table.name)
        return names

    def tables_of(self, cell_id: str) -> tuple[str, ...]:
        """Names of the tables that show this cell. Raises `UserError` for an id that is not in the plan."""
        return self._tables_of[self.cell(cell_id).id]

    def table(self, name: str) -> TableLayout:
        """The table of that name; `UserError` with the names there are otherwise."""
        self._known("table", name, (table.name for table in self.tables))
        return next(table for table in self.tables if table.name == name)

    def cells_of(self, table: str) -> tuple[Cell, ...]:
        """The cells one table needs, each once."""
        return self.table(table).cells

    def cell(self, cell_id: str) -> Cell:
        """The cell of that id; `UserError` otherwise."""
        if cell_id not in self.cells:
            near = spelling_hint(cell_id, self.cells)
            raise UserError(
                f"preset {self.preset!r} has no such cell; an id changes with every parameter of its cell",
                found=short_repr(cell_id),
                fix=near or f"list the ids: cenbench plan --preset {self.preset}",
            )
        return self.cells[cell_id]

    def select(
        self,
        tables: Sequence[str] | None = None,
        task: str | None = None,
        method: str | None = None,
        glob: str | None = None,
    ) -> Plan:
        """The part of the plan that every given filter lets through; tables keep their shape, slots without cells go.

        `tables` are names (`table7`), `task` reads as in `params/`, `method` is a fusion (`exchange`), `glob` matches
        ids (`*l1-half*`). Raises `UserError` for a value nothing in the plan has, naming the ones there are.
        """
        chosen = self.tables if not tables else tuple(self.table(name) for name in dict.fromkeys(tables))
        keep: list[Callable[[Cell], bool]] = []
        if task is not None:
            wanted = self._known("task", _canonical(task), (str(cell.task) for cell in self.cells.values()))
            keep.append(lambda cell: str(cell.task) == wanted)
        if method is not None:
            self._known("method", method, (cell.fusion for cell in self.cells.values()))
            keep.append(lambda cell: cell.fusion == method)
        if glob is not None:
            keep.append(lambda cell: fnmatch.fnmatchcase(cell.id, glob))
        narrowed = (_narrowed(table, lambda cell: all(test(cell) for test in keep)) for table in chosen)
        selected = replace(self, tables=tuple(table for table in narrowed if table.slots))
        if not selected.tables:
            asked = {"table": ", ".join(tables or ()), "task": task, "method": method, "glob": glob}
            found = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
            fix = f"list the ids: cenbench plan --preset {self.preset}"
            raise UserError("no cell of the plan passes these filters together", found=found, fix=fix)
        return selected

    def _known(self, what: str, value: str, known: Iterable[str]) -> str:
        """`value` if the plan has it."""
        there_are = list(dict.fromkeys(known))
        if value not in there_are:
            raise UserError(
                f"preset {self.preset!r} has no such {what}",
                found=short_repr(value),
                expected=", ".join(there_are),
                fix=spelling_hint(value, there_are),
            )
        return value


def load_plan(params: Path, preset: str) -> Plan:
    """Read the preset, its tables and the paper's numbers from `params`, and expand them.

    Raises `UserError` naming file, key, value and what is allowed. Imports no torch; the Snakefile calls this at
    every start.
    """
    chosen = load_preset(params, preset)
    numbers = read_paper_numbers(params)
    layouts = tuple(
        expand(load_table(params, name), chosen, numbers, params / f"{name}.yaml") for name in chosen.tables
    )
    return Plan(chosen.name, chosen.description, layouts, chosen.cost)


def _canonical(task: str) -> str:
    try:
        return str(Task.parse(task))
    except ValueError:
        return task


def _narrowed(table: TableLayout, keep: Callable[[Cell], bool]) -> TableLayout:
    """The table with only the slots, and the cells in them, that pass."""
    kept = (replace(slot, cells=tuple(filter(keep, slot.cells))) for slot in table.slots)
    return replace(table, slots=tuple(slot for slot in kept if slot.cells))
