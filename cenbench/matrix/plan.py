"""The plan: the tables and figures of a preset, and the cells they need, each once even if several share it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.cell import Cell, Task
from cenbench.matrix.expand import expand
from cenbench.matrix.figure import figure_names, load_figure
from cenbench.matrix.figure_layout import FigureLayout, expand_figure
from cenbench.matrix.layout import Slot, TableLayout
from cenbench.matrix.paper_numbers import read_paper_numbers
from cenbench.matrix.preset import MAX_PRICE, CostModel, Preset, load_preset, preset_names, preset_path
from cenbench.matrix.specs import DatasetSpec
from cenbench.matrix.table import TableSpec, load_table, table_names
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint, unknown_entries
from cenbench.matrix.verdict_rules import PAPER_PRESET, load_verdict_rules


@dataclass(frozen=True)
class Plan:
    """The cells to run, and the tables and figures that show them."""

    preset: str
    description: str
    tables: tuple[TableLayout, ...]
    cost: CostModel
    figures: tuple[FigureLayout, ...] = ()

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """id -> cell, in reading order of the tables, then of the figures; before the first cell that starts from
        another, that one.
        """
        found: dict[str, Cell] = {}
        for cell in self.shown:
            found |= {} if cell.pretraining is None else {cell.pretraining.id: cell.pretraining}
            found[cell.id] = cell
        return found

    @cached_property
    def shown(self) -> tuple[Cell, ...]:
        """The cells that tables and figures show."""
        layouts: tuple[TableLayout | FigureLayout, ...] = (*self.tables, *self.figures)
        return tuple({cell.id: cell for layout in layouts for cell in layout.cells}.values())

    @cached_property
    def pretrainings(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the cells that others start from -> ids of those."""
        found: dict[str, tuple[str, ...]] = {}
        for cell in self.shown:
            if cell.pretraining is not None:
                found[cell.pretraining.id] = (*found.get(cell.pretraining.id, ()), cell.id)
        return found

    @cached_property
    def datasets(self) -> tuple[DatasetSpec, ...]:
        """The datasets that the cells read, each once, in reading order of the tables."""
        return tuple(dict.fromkeys(cell.dataset for cell in self.cells.values()))

    @cached_property
    def _tables_of(self) -> Mapping[str, tuple[str, ...]]:
        return _names_by_cell(self.tables)

    def tables_of(self, cell_id: str) -> tuple[str, ...]:
        """Names of the tables that show this cell or one that starts from it. Raises `UserError` for an unknown id."""
        return self._tables_of.get(self.cell(cell_id).id, ())

    @cached_property
    def _slots_of(self) -> Mapping[str, tuple[tuple[TableLayout, Slot], ...]]:
        found: dict[str, list[tuple[TableLayout, Slot]]] = {}
        for table in self.tables:
            for slot in table.slots:
                for cell_id in {cell.id for cell in slot.cells}:
                    found.setdefault(cell_id, []).append((table, slot))
        return {cell_id: tuple(places) for cell_id, places in found.items()}

    def slots_of(self, cell_id: str) -> tuple[tuple[TableLayout, Slot], ...]:
        """The slots that show this cell, each with its table, in reading order."""
        return self._slots_of.get(cell_id, ())

    @cached_property
    def _figures_of(self) -> Mapping[str, tuple[str, ...]]:
        return _names_by_cell(self.figures)

    def figures_of(self, cell_id: str) -> tuple[str, ...]:
        """Names of the figures that show this cell. Raises `UserError` for an unknown id."""
        return self._figures_of.get(self.cell(cell_id).id, ())

    def shown_in(self, cell_id: str) -> tuple[str, ...]:
        """Names of the tables and figures that show this cell. Raises `UserError` for an unknown id."""
        return (*self.tables_of(cell_id), *self.figures_of(cell_id))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tables and figures."""
        return (*(table.name for table in self.tables), *(figure.name for figure in self.figures))

    def figure(self, name: str) -> FigureLayout:
        """The figure of that name. Raises `UserError`, listing the known names, for any other."""
        if any(table.name == name for table in self.tables):
            raise UserError(f"{name} is a table", found=name, expected="a figure", fix=f"--table {name}")
        self._require("figure", name, (figure.name for figure in self.figures))
        return next(figure for figure in self.figures if figure.name == name)

    @cached_property
    def _shown_by(self) -> Mapping[tuple[str, ...], tuple[str, ...]]:
        found: dict[tuple[str, ...], list[str]] = {}
        for cell_id in self.cells:
            found.setdefault(self.shown_in(cell_id), []).append(cell_id)
        return {names: tuple(ids) for names, ids in found.items()}

    @cached_property
    def _neighbours(self) -> Mapping[str, tuple[str | None, str | None]]:
        found: dict[str, tuple[str | None, str | None]] = {}
        for ids in self._shown_by.values():
            found |= dict(zip(ids, zip((None, *ids[:-1]), (*ids[1:], None), strict=True), strict=True))
        return found

    def neighbours(self, cell_id: str) -> tuple[str | None, str | None]:
        """Ids of the cells before and after this one, of those that exactly the same tables and figures show."""
        return self._neighbours[cell_id]

    def table(self, name: str) -> TableLayout:
        """The table of that name. Raises `UserError`, listing the known names, for any other."""
        if any(figure.name == name for figure in self.figures):
            raise UserError(f"{name} is a figure", found=name, expected="a table", fix=f"--figure {name}")
        self._require("table", name, (table.name for table in self.tables))
        return next(table for table in self.tables if table.name == name)

    def cells_of(self, table: str) -> tuple[Cell, ...]:
        """The cells one table needs, each once."""
        return self.table(table).cells

    def cell(self, cell_id: str) -> Cell:
        """The cell with that id. Raises `UserError` for an unknown id."""
        if cell_id not in self.cells:
            near = spelling_hint(cell_id, self.cells)
            raise UserError(
                f"preset {self.preset!r} has no cell {short_repr(cell_id)} (an id changes with every parameter)",
                fix=near or f"list the ids: cenbench plan --preset {self.preset}",
            )
        return self.cells[cell_id]

    def select(
        self,
        tables: Sequence[str] | None = None,
        task: str | None = None,
        method: str | None = None,
        glob: str | None = None,
        figures: Sequence[str] | None = None,
    ) -> Plan:
        """The part of the plan that passes all given filters. Tables keep their shape; slots without cells are dropped.

        `tables` and `figures` are names (`table7`, `figure5`); if only one of the two is given, the plan has none of
        the other. `task` is written as in `params/`, `method` is a fusion method (`exchange`),
        `glob` matches ids (`*l1-half*`). Raises `UserError` for a value that nothing in the plan has, listing the known
        ones, and if no cell passes.
        """
        everything = not tables and not figures
        chosen = self.tables if everything else tuple(self.table(name) for name in dict.fromkeys(tables or ()))
        drawn = self.figures if everything else tuple(self.figure(name) for name in dict.fromkeys(figures or ()))
        filters: list[Callable[[Cell], bool]] = []
        if task is not None:
            wanted = self._require("task", _canonical(task), (str(cell.task) for cell in self.shown))
            filters.append(lambda cell: str(cell.task) == wanted)
        if method is not None:
            self._require("method", method, (cell.fusion for cell in self.shown))
            filters.append(lambda cell: cell.fusion == method)
        if glob is not None:
            filters.append(lambda cell: fnmatch.fnmatchcase(cell.id, glob))

        def passes_all(cell: Cell) -> bool:
            return all(passes(cell) for passes in filters)

        kept = (_filtered(table, passes_all) for table in chosen)
        kept_figures = (_filtered_figure(figure, passes_all) for figure in drawn)
        selected = replace(
            self,
            tables=tuple(table for table in kept if table.slots),
            figures=tuple(figure for figure in kept_figures if figure.series),
        )
        if not selected.cells:
            names = ", ".join((*(tables or ()), *(figures or ())))
            given = {"table or figure": names, "task": task, "method": method, "glob": glob}
            found = ", ".join(f"{name} {value}" for name, value in given.items() if value)
            fix = f"list the ids: cenbench plan --preset {self.preset}"
            raise UserError("no cell of the plan passes all of these filters", found=found, fix=fix)
        return selected

    def priced(self, per_hour: float) -> Plan:
        """The plan with this price per hour, in the preset's currency. Raises `UserError` unless it is above zero."""
        if not 0 < per_hour <= MAX_PRICE:
            expected = f"a number above 0, at most {MAX_PRICE:,.0f}"
            raise UserError("not a price per hour", key="--price", found=per_hour, expected=expected)
        return replace(self, cost=self.cost.model_copy(update={"price_per_hour": per_hour}))

    def _require(self, what: str, value: str, known: Iterable[str]) -> str:
        """`value`, if it is a known one. Raises `UserError` otherwise."""
        allowed = list(dict.fromkeys(known))
        if value not in allowed:
            raise UserError(
                f"preset {self.preset!r} has no {what} {short_repr(value)}",
                expected=", ".join(allowed),
                fix=spelling_hint(value, allowed),
            )
        return value


def load_plan(params: Path, preset: str) -> Plan:
    """Read the preset, its tables and figures and the paper's numbers from `params`, and expand them.

    Raises `UserError` with file, key, value and what is allowed. Does not import torch: the Snakefile calls this each
    time it starts.
    """
    chosen = load_preset(params, preset)
    if issues := [*_unknown_names(params, chosen)]:
        raise as_user_error(preset_path(params, preset), issues)
    numbers, rules = read_paper_numbers(params), load_verdict_rules(params)
    reference = chosen if preset == PAPER_PRESET else _paper_preset(params)
    declared = {name: load_table(params, name) for name in chosen.tables}
    if issues := [*_unknown_groups(declared, chosen)]:
        raise as_user_error(preset_path(params, preset), issues)
    specs = {name: load_figure(params, name) for name in chosen.figures}

    def layout(name: str) -> TableLayout:
        spec = declared.get(name) or load_table(params, name)
        return expand(spec, chosen, numbers, params / f"{name}.yaml", reference=reference, rules=rules)

    for name, figure in specs.items():
        if issues := [*_not_declared("table", figure.tables, table_names(params))]:
            raise as_user_error(params / f"{name}.yaml", issues)
    layouts = {name: layout(name) for name in declared}
    needed = {name: layouts.get(name) or layout(name) for spec in specs.values() for name in spec.tables}
    figures = tuple(expand_figure(name, spec, chosen, params / f"{name}.yaml", needed) for name, spec in specs.items())
    return Plan(chosen.name, chosen.description, tuple(layouts.values()), chosen.cost, figures)


def _unknown_names(params: Path, preset: Preset) -> Iterator[Issue]:
    """Tables and figures of the preset that no file declares."""
    yield from _not_declared("table", preset.tables, table_names(params))
    yield from _not_declared("figure", preset.figures, figure_names(params))


def _not_declared(what: str, names: Sequence[str], known: Sequence[str]) -> Iterator[Issue]:
    none = f"files such as {what}7.yaml, but the folder has none"
    return unknown_entries(f"{what}s", names, known, f"unknown {what}", none)


def _unknown_groups(declared: Mapping[str, TableSpec], preset: Preset) -> Iterator[Issue]:
    """Row groups that the preset requests and its tables do not have."""
    for name, requested in preset.groups.items():
        labels = [group.label for group in declared[name].groups]
        problem = f"{name} does not have this row group" if labels else f"{name} does not have row groups"
        for place, label in enumerate(requested):
            if label not in labels:
                hint = spelling_hint(label, labels)
                key = f"groups.{name}[{place}]"
                yield Issue(key, problem, short_repr(label), "; ".join(labels) or None, hint)


def _paper_preset(params: Path) -> Preset | None:
    """The preset that follows the paper; None where it is absent, and then no number is comparable."""
    return load_preset(params, PAPER_PRESET) if PAPER_PRESET in preset_names(params) else None


def _canonical(task: str) -> str:
    try:
        return str(Task.parse(task))
    except ValueError:
        return task


def _filtered(table: TableLayout, passes: Callable[[Cell], bool]) -> TableLayout:
    """The table with only the cells that pass, and only the slots that keep a cell."""
    kept = (replace(slot, cells=tuple(filter(passes, slot.cells))) for slot in table.slots)
    return replace(table, slots=tuple(slot for slot in kept if slot.cells))


def _filtered_figure(figure: FigureLayout, passes: Callable[[Cell], bool]) -> FigureLayout:
    """The figure with only the cells that pass, and only the series that keep a cell."""
    kept = (replace(series, cells=tuple(filter(passes, series.cells))) for series in figure.series)
    return replace(figure, series=tuple(series for series in kept if series.cells))


def _names_by_cell(shown: Iterable[TableLayout] | Iterable[FigureLayout]) -> dict[str, tuple[str, ...]]:
    """Cell id -> names of those that show it, or a cell that starts from it."""
    names: dict[str, tuple[str, ...]] = {}
    for one in shown:
        needed = [cell for itself in one.cells for cell in (itself, itself.pretraining) if cell is not None]
        for cell_id in dict.fromkeys(cell.id for cell in needed):
            names[cell_id] = (*names.get(cell_id, ()), one.name)
    return names
