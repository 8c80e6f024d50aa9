"""From a table's declaration and a preset to its layout: every slot gets its cells. Pure: reads and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cenbench.matrix.cell import MERGED_STREAMS, Cell, Task
from cenbench.matrix.dataset_names import unknown_dataset
from cenbench.matrix.describe import override_lines, protocol_lines, row_labels
from cenbench.matrix.key_lines import Location
from cenbench.matrix.layout import Column, Row, Slot, TableLayout
from cenbench.matrix.methods import methods
from cenbench.matrix.paper_numbers import PaperNumber, PaperTerms, place_numbers
from cenbench.matrix.preset import Preset
from cenbench.matrix.slot_issues import SlotIssue, merged
from cenbench.matrix.table import TERM_DEFAULTS, TERMS, EntrySpec, GroupSpec, Override, RowSpec, TableSpec, Term
from cenbench.matrix.validation import (
    Issue,
    as_user_error,
    dotted_key,
    issue_from,
    short_repr,
    spelling_hint,
)
from cenbench.matrix.verdict_rules import VerdictRules

_PARTS = ("dataset", "network", "protocol", "evaluation")
_CELL_TERMS: tuple[Term, ...] = ("task", "fusion", "stage", "merged", "convs", "norms", "l1")
_PAPER_METHODS = {"exchange": "ours"}
Terms = Mapping[str, Any]


@dataclass(frozen=True)
class _Entry:
    """The defaults, a group, a row or a column of the declaration, and its place in the file."""

    spec: EntrySpec
    location: Location

    def sets(self, term: Term) -> bool:
        return self.spec.term(term) is not None

    def overrides(self, part: str) -> dict[str, Any]:
        overridden: dict[str, Any] = getattr(self.spec.override, part)
        return overridden

    def key(self, *below: str) -> str:
        return dotted_key((*self.location, *below))


@dataclass(frozen=True)
class _DeclaredRow:
    group: GroupSpec | None
    row: RowSpec
    entries: tuple[_Entry, ...]
    """The group, if there is one, and the row."""


@dataclass(frozen=True)
class _DeclaredSlot:
    """A slot by its place in the table, and the entries it takes its terms from, the row and the column last."""

    row: int
    column: int
    entries: tuple[_Entry, ...]


@dataclass
class _CellBuilder:
    """Builds the cells of a table's slots and collects every issue, so that they are reported together."""

    preset: Preset
    issues: list[Issue] = field(default_factory=list)

    def build(self, slot: _DeclaredSlot) -> tuple[Terms, tuple[Cell, ...]]:
        """The slot's terms and its cells, one per seed. Impossible cells are left out and recorded as issues."""
        terms = self._terms(slot.entries)
        issues_before = len(self.issues)
        if len(terms) < len(TERMS):
            return terms, ()
        known = (self._has_method(terms, slot.entries), self._has_stream(terms, slot.entries))
        if not all(known):
            return terms, ()
        kind = Task.parse(terms["task"]).kind
        parts = {part: self._part(kind, part, slot.entries) for part in _PARTS}
        parts["fusion_parameters"] = self._fusion_parameters(terms["fusion"], slot.entries)
        return terms, () if len(self.issues) > issues_before else self._cells(terms, parts, slot.entries)

    def _terms(self, entries: Sequence[_Entry]) -> dict[str, Any]:
        """The terms that defaults, group, row and column set, later ones first; unset or doubly set ones are absent."""
        row, column = entries[-2:]
        terms: dict[str, Any] = {}
        for term in TERMS:
            setting = [entry for entry in entries if entry.sets(term)]
            if not setting and term in TERM_DEFAULTS:
                terms[term] = TERM_DEFAULTS[term]
            elif not setting:
                fix = f"set `{term}:` in the row, its group, the column or the table's defaults"
                issue = SlotIssue(row.key(term), "this term is not set", fix=fix, mistake=f"{term} is not set")
                self.issues.append(issue)
            elif row in setting and column in setting:
                problem = "the row and the column both set this term"
                fix, keys = "set it in the rows or in the columns, not in both", (row.key(term), column.key(term))
                twice = f"{term} is set twice"
                self.issues.append(SlotIssue(keys[0], problem, fix=fix, others=keys[1:], mistake=twice))
            else:
                terms[term] = setting[-1].spec.term(term)
        return terms

    def _has_method(self, terms: Terms, entries: Sequence[_Entry]) -> bool:
        fusion = terms["fusion"]
        if fusion not in methods():
            key = _last_setting(entries, "fusion").key("fusion")
            hint = spelling_hint(fusion, methods())
            self.issues.append(Issue(key, "unknown fusion method", short_repr(fusion), ", ".join(methods()), hint))
        return fusion in methods()

    def _has_stream(self, terms: Terms, entries: Sequence[_Entry]) -> bool:
        task, stream = Task.parse(terms["task"]), terms["stream"]
        streams = MERGED_STREAMS if terms["merged"] else task.streams
        if stream not in streams:
            key = _last_setting(entries, "stream").key("stream")
            problem = f"{task} (the task of {entries[-2].key()}) has no such output"
            hint, allowed = spelling_hint(stream, streams), ", ".join(streams)
            self.issues.append(SlotIssue(key, problem, short_repr(stream), allowed, hint, mistake=f"{key} {stream}"))
        return stream in streams

    def _overridden(self, part: str, entries: Sequence[_Entry]) -> dict[str, Any]:
        """The keys of a part that the entries override, with the values that apply."""
        row, column = entries[-2:]
        for key in row.overrides(part).keys() & column.overrides(part).keys():
            keys = [entry.key("override", part, key) for entry in (row, column)]
            problem, fix = "the row and the column both override this key", "override it in one of them"
            self.issues.append(SlotIssue(keys[0], problem, fix=fix, others=(keys[1],), mistake=f"{part}.{key} twice"))
        return {key: value for entry in entries for key, value in entry.overrides(part).items()}

    def _fusion_parameters(self, fusion: str, entries: Sequence[_Entry]) -> dict[str, float]:
        """The method's own parameters as the entries set them, checked against its declaration."""
        parameters: dict[str, float] = self._overridden("fusion", entries)
        declared = methods()[fusion].parameters
        for name, value in parameters.items():
            key = next(entry for entry in reversed(entries) if name in entry.overrides("fusion")).key(
                "override", "fusion", name
            )
            if name not in declared:
                problem, allowed = f"{fusion} has no such parameter", ", ".join(declared) or "none"
                self.issues.append(Issue(key, problem, short_repr(name), allowed, spelling_hint(name, declared)))
            elif not declared[name].accepts(value):
                self.issues.append(Issue(key, "value out of range", f"{value:g}", declared[name].range_text))
        return parameters

    def _part(self, kind: str, part: str, entries: Sequence[_Entry]) -> Any:
        """One part of the preset with the keys the entries override, validated as the preset's own were."""
        preset_part = getattr(getattr(self.preset, kind), part)
        overriding = [entry for entry in entries if entry.overrides(part)]
        if not overriding:
            return preset_part
        changed, model = self._overridden(part, entries), type(preset_part)
        try:
            data = preset_part.model_dump(mode="json", exclude_defaults=True)
            if part == "dataset" and changed.get("name", preset_part.name) != preset_part.name:
                data = {key: value for key, value in data.items() if key not in preset_part.RENDERER_KEYS}
            data |= changed
            built = model.model_validate_json(json.dumps(data), strict=True)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                first = details["loc"][0] if details["loc"] else None
                setting = [entry for entry in overriding if first in entry.overrides(part)]
                location = (setting or overriding)[-1].location
                self.issues.append(issue_from(details, model, (*location, "override", part)))
            return preset_part
        if part == "dataset" and "name" in changed:
            setting = [entry for entry in overriding if "name" in entry.overrides(part)]
            self.issues += unknown_dataset(built.name, setting[-1].key("override", part, "name"))
        return built

    def _cells(self, terms: Terms, parts: dict[str, Any], entries: Sequence[_Entry]) -> tuple[Cell, ...]:
        fields = {name: terms[name] for name in _CELL_TERMS} | parts | {"task": Task.parse(terms["task"])}
        try:
            return tuple(Cell(**fields, seed=seed) for seed in self.preset.seeds)
        except ValidationError as error:
            involved = [
                entry for entry in entries[1:] if entry.spec.override != Override() or any(map(entry.sets, _CELL_TERMS))
            ]
            key, *others = (entry.key() for entry in involved or entries[-2:-1])
            found = ", ".join(f"{name} {_word(terms[name])}" for name in _CELL_TERMS)
            for details in error.errors():
                problem = str(details["ctx"]["error"])
                self.issues.append(SlotIssue(key, problem, found, others=tuple(others), mistake=problem))
            return ()


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
    columns = tuple(Column(column.label, column.metrics or spec.metrics, column.emphasised) for column in spec.columns)
    slots = _slots(declared, built, columns, own, path, whole=spec.whole)
    if reference is not None:
        slots = _with_references(slots, declared, reference)
    sources = ", ".join(dict.fromkeys(number.source for number in own))
    return TableLayout(
        number=spec.number,
        name=f"table{spec.number}",
        title=spec.title,
        caption=spec.caption,
        stub=tuple(column.heading for column in spec.stub),
        rows=tuple(Row(row.group.label if row.group else None, row_labels(spec, row.group, row.row)) for row in rows),
        columns=columns,
        slots=slots,
        footers=(*spec.footers, *([f"The paper's numbers: {sources}."] if sources else [])),
        protocol_lines=(*protocol_lines(preset, slots), *override_lines(spec)),
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
    builder = _CellBuilder(preset.model_copy(update={"seeds": preset.seeds[:1]}))
    found = []
    for slot, place in zip(slots, declared, strict=True):
        entries = tuple(map(_as_in_paper, place.entries))
        _, cells = builder.build(replace(place, entries=entries)) if slot.paper else ({}, ())
        found.append(replace(slot, reference=next(iter(cells), None)))
    return tuple(found)


def _as_in_paper(entry: _Entry) -> _Entry:
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
    builder = _CellBuilder(preset, _unknown_columns(spec, rows))
    built = [builder.build(slot) for slot in slots]
    if builder.issues:
        raise as_user_error(path, merged(builder.issues))
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


def _last_setting(entries: Sequence[_Entry], term: Term) -> _Entry:
    """The entry whose value of the term applies."""
    return next(entry for entry in reversed(entries) if entry.sets(term))


def _with_requested_groups(spec: TableSpec, preset: Preset, path: Path) -> TableSpec:
    """The declaration with only the row groups that the preset requests."""
    requested = preset.groups.get(f"table{spec.number}")
    if requested is None:
        return spec
    labels = [group.label for group in spec.groups]
    for label in requested:
        if label not in labels:
            problem = f"preset {preset.name} requests a row group that this table does not have"
            hint = spelling_hint(label, labels)
            raise as_user_error(path, [Issue("groups", problem, short_repr(label), "; ".join(labels), hint)])
    groups = tuple(group for group in spec.groups if group.label in requested)
    return spec.model_copy(update={"groups": groups, "whole": False})


def _declared_rows(spec: TableSpec) -> list[_DeclaredRow]:
    """Every row of the file, with its group and their places."""
    rows = [_DeclaredRow(None, row, (_Entry(row, ("rows", index)),)) for index, row in enumerate(spec.rows)]
    for outer, group in enumerate(spec.groups):
        group_entry = _Entry(group, ("groups", outer))
        for index, row in enumerate(group.rows):
            rows.append(_DeclaredRow(group, row, (group_entry, _Entry(row, ("groups", outer, "rows", index)))))
    return rows


def _declared_slots(spec: TableSpec, rows: Sequence[_DeclaredRow]) -> list[_DeclaredSlot]:
    defaults = _Entry(spec.defaults, ("defaults",))
    columns = [_Entry(column, ("columns", index)) for index, column in enumerate(spec.columns)]
    return [
        _DeclaredSlot(row, column, (defaults, *declared.entries, column_entry))
        for row, declared in enumerate(rows)
        for column, column_entry in enumerate(columns)
        if _has_slot(declared, spec.columns[column].label)
    ]


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


def _paper_terms(terms: Terms, entries: Sequence[_Entry]) -> PaperTerms | None:
    """The slot in the terms of the paper's file; None if the paper has no such slot."""
    if not all(entry.spec.in_paper for entry in entries):
        return None
    words = {name: _word(value) for name, value in terms.items()}
    words |= {
        "method": _PAPER_METHODS.get(terms["fusion"], str(terms["fusion"])),
        "exchange": _word(methods()[terms["fusion"]].acts == "norms"),
    }
    for entry in entries:
        words.update({str(name): word for name, word in entry.spec.paper_terms.items()})
    return PaperTerms(words, as_preset=all(entry.spec.override == Override() for entry in entries))


def _incomparable(entries: Sequence[_Entry]) -> str | None:
    """The reasons that the slot's entries declare, each once."""
    reasons = dict.fromkeys(entry.spec.incomparable for entry in entries if entry.spec.incomparable)
    return "; ".join(map(str, reasons)) or None


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
