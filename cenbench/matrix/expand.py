"""From a table's declaration and a preset to its layout: every slot gets its cells. Pure: reads and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cenbench.matrix.cell import Cell
from cenbench.matrix.cell_builder import CellBuilder, Entry, Terms, term_word
from cenbench.matrix.describe import override_lines, protocol_lines, row_labels
from cenbench.matrix.layout import Column, Row, Slot, TableLayout
from cenbench.matrix.methods import methods
from cenbench.matrix.paper_numbers import PaperNumber, PaperTerms, place_numbers
from cenbench.matrix.preset import Preset
from cenbench.matrix.slot_issues import merged
from cenbench.matrix.table import EntrySpec, GroupSpec, Override, RowSpec, TableSpec
from cenbench.matrix.table_issues import impossible_metrics, repeated_labels
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint
from cenbench.matrix.verdict_rules import VerdictRules

_PAPER_METHODS = {"exchange": "ours"}
_TableEntry = Entry[EntrySpec]


@dataclass(frozen=True)
class _DeclaredRow:
    group: GroupSpec | None
    row: RowSpec
    entries: tuple[_TableEntry, ...]
    """The group, if there is one, and the row."""


@dataclass(frozen=True)
class _DeclaredSlot:
    """A slot by its place in the table, and the entries it takes its terms from, the row and the column last."""

    row: int
    column: int
    entries: tuple[_TableEntry, ...]


def expand(
    spec: TableSpec,
    preset: Preset,
    numbers: Sequence[PaperNumber],
    path: Path,
    *,
    reference: Preset | None = None,
    rules: VerdictRules | None = None,
) -> TableLayout:
    """The layout of the table that `path` declares, under this preset; `numbers` are the paper's, of any table.

    `reference` is the preset that follows the paper: a slot with a number of the paper gets its cell there as well.
    Raises one `UserError` on `path` that lists every impossible row or column, or every number of the paper that has
    no slot of its own.
    """
    all_rows, spec = _declared_rows(spec), _with_requested_groups(spec, preset, path)
    rows = [row for row in all_rows if row.group is None or row.group in spec.groups]
    declared = _declared_slots(spec, rows)
    built = _built(spec, preset, rows, declared, path)
    own = [
        replace(number, metric=spec.paper_metrics.get(number.metric, number.metric))
        for number in numbers
        if number.table == spec.number
    ]
    columns = tuple(
        Column(column.label, column.metrics or spec.metrics, column.emphasised, column.short or "")
        for column in spec.columns
    )
    slots = _slots(declared, built, columns, own, path, whole=spec.whole)
    if reference is not None:
        slots = _with_references(slots, declared, reference)
    sources = ", ".join(dict.fromkeys(number.source for number in own))
    return TableLayout(
        number=spec.number,
        name=path.stem,
        title=spec.title,
        caption=spec.caption,
        stub=tuple(column.heading for column in spec.stub),
        rows=tuple(_labelled(spec, row) for row in rows),
        columns=columns,
        short_stub=tuple(column.short or column.heading for column in spec.stub),
        slots=slots,
        footers=(*spec.footers, *([f"The paper's numbers: {sources}."] if sources else [])),
        protocol_lines=(
            *protocol_lines(preset, [cell for slot in slots for cell in slot.cells]),
            *override_lines(spec),
        ),
        group_heading=spec.group_heading or "",
        ranked=spec.ranked,
        whole=spec.whole,
        rules=rules or VerdictRules(),
        paper_decimals=_printed_decimals(own),
    )


def _with_references(slots: Sequence[Slot], declared: Sequence[_DeclaredSlot], preset: Preset) -> tuple[Slot, ...]:
    """The slots with the cell that the preset gives each one that has a number of the paper.

    An override counts only where the paper's own number was made with it; impossible cells are left out.
    """
    builder = CellBuilder(preset.model_copy(update={"seeds": preset.seeds[:1]}))
    found = []
    for slot, place in zip(slots, declared, strict=True):
        entries = tuple(map(_as_in_paper, place.entries))
        _, cells = builder.build(entries) if slot.paper else ({}, ())
        found.append(replace(slot, reference=next(iter(cells), None)))
    return tuple(found)


def _as_in_paper(entry: _TableEntry) -> _TableEntry:
    if entry.spec.override_in_paper:
        return entry
    return replace(entry, spec=entry.spec.model_copy(update={"override": Override()}))


def _printed_decimals(numbers: Sequence[PaperNumber]) -> dict[str, int]:
    """Metric -> decimals of the paper's numbers; the most of any, since the file drops a final zero."""
    decimals: dict[str, int] = {}
    for number in numbers:
        decimals[number.metric] = max(number.decimals, decimals.get(number.metric, 0))
    return decimals


def _built(
    spec: TableSpec, preset: Preset, rows: Sequence[_DeclaredRow], slots: Sequence[_DeclaredSlot], path: Path
) -> list[tuple[Terms, tuple[Cell, ...]]]:
    """Terms and cells of each slot; a `UserError` on `path` for all issues found on the way."""
    builder = CellBuilder(preset, _unknown_columns(spec, rows))
    built = [builder.build(slot.entries) for slot in slots]
    shown = [(slot.column, cells) for slot, (_, cells) in zip(slots, built, strict=True)]
    whole = path.stem not in preset.groups
    issues = builder.issues or [
        *builder.unused_overrides(),
        *repeated_labels(_labels(spec, rows)),
        *impossible_metrics(spec, shown, whole=whole),
    ]
    if issues:
        raise as_user_error(path, merged(issues))
    return built


def _slots(
    declared: Sequence[_DeclaredSlot],
    built: Sequence[tuple[Terms, tuple[Cell, ...]]],
    columns: Sequence[Column],
    numbers: Sequence[PaperNumber],
    path: Path,
    *,
    whole: bool,
) -> tuple[Slot, ...]:
    """The slots with their cells and the paper's numbers."""
    named = [_paper_terms(terms, slot.entries) for (terms, _), slot in zip(built, declared, strict=True)]
    placed = place_numbers(numbers, named, [columns[slot.column].metrics for slot in declared], path, whole=whole)
    return tuple(
        Slot(slot.row, slot.column, cells, terms["stream"], paper, incomparable=_incomparable(slot.entries))
        for slot, (terms, cells), paper in zip(declared, built, placed, strict=True)
    )


def _with_requested_groups(spec: TableSpec, preset: Preset, path: Path) -> TableSpec:
    """The declaration with only the row groups that the preset requests, which `load_plan` has looked up."""
    requested = preset.groups.get(path.stem)
    if requested is None:
        return spec
    groups = tuple(group for group in spec.groups if group.label in requested)
    return spec.model_copy(update={"groups": groups, "whole": False})


def _declared_rows(spec: TableSpec) -> list[_DeclaredRow]:
    """Every row of the file, with its group and their places."""
    rows = [_DeclaredRow(None, row, (_TableEntry(row, ("rows", index)),)) for index, row in enumerate(spec.rows)]
    for outer, group in enumerate(spec.groups):
        group_entry = _TableEntry(group, ("groups", outer))
        for index, row in enumerate(group.rows):
            rows.append(_DeclaredRow(group, row, (group_entry, _TableEntry(row, ("groups", outer, "rows", index)))))
    return rows


def _declared_slots(spec: TableSpec, rows: Sequence[_DeclaredRow]) -> list[_DeclaredSlot]:
    defaults = _TableEntry(spec.defaults, ("defaults",))
    columns = [_TableEntry(column, ("columns", index)) for index, column in enumerate(spec.columns)]
    return [
        _DeclaredSlot(row, column, (defaults, *declared.entries, column_entry))
        for row, declared in enumerate(rows)
        for column, column_entry in enumerate(columns)
        if _has_slot(declared, spec.columns[column].label)
    ]


def _labelled(spec: TableSpec, row: _DeclaredRow) -> Row:
    return Row(row.group.label if row.group else None, row_labels(spec, row.group, row.row))


def _labels(spec: TableSpec, rows: Sequence[_DeclaredRow]) -> dict[str, dict[str, str]]:
    """What has a label -> key in the file -> label; a row's is its name, which has that of its group."""
    return {
        "column": {f"columns[{place}].label": column.label for place, column in enumerate(spec.columns)},
        "group": {row.entries[0].key("label"): row.group.label for row in rows if row.group},
        "row": {row.entries[-1].key(): _labelled(spec, row).name for row in rows},
    }


def _unknown_columns(spec: TableSpec, rows: Sequence[_DeclaredRow]) -> list[Issue]:
    """Labels in an `only:`, of a row or a group, that no column has."""
    columns = [column.label for column in spec.columns]
    issues = []
    for entry in (entry for row in rows for entry in row.entries):
        for label in (entry.spec.only or ()) if isinstance(entry.spec, RowSpec | GroupSpec) else ():
            if label not in columns:
                hint = spelling_hint(label, columns)
                problem = "no column has this label"
                issues.append(Issue(entry.key("only"), problem, short_repr(label), ", ".join(columns), hint))
    return issues


def _has_slot(declared: _DeclaredRow, column: str) -> bool:
    only = declared.row.only or (declared.group.only if declared.group else None)
    return only is None or column in only


def _paper_terms(terms: Terms, entries: Sequence[_TableEntry]) -> PaperTerms | None:
    """The slot in the terms of the paper's file; None if the paper has no such slot."""
    if not all(entry.spec.in_paper for entry in entries):
        return None
    words = {name: term_word(value) for name, value in terms.items()}
    words |= {
        "method": _PAPER_METHODS.get(terms["fusion"], str(terms["fusion"])),
        "exchange": term_word(methods()[terms["fusion"]].acts == "norms"),
    }
    for entry in entries:
        words.update({str(name): word for name, word in entry.spec.paper_terms.items()})
    return PaperTerms(words, as_preset=all(entry.spec.override == Override() for entry in entries))


def _incomparable(entries: Sequence[_TableEntry]) -> str | None:
    """The reasons that the slot's entries declare, each once."""
    reasons = dict.fromkeys(entry.spec.incomparable for entry in entries if entry.spec.incomparable)
    return "; ".join(map(str, reasons)) or None
