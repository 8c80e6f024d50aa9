"""From a table's declaration and a preset to its layout: every slot gets its cells. Pure: reads and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cenbench.matrix.cell import MERGED_STREAMS, Cell, Task
from cenbench.matrix.describe import override_lines, protocol_lines, row_labels
from cenbench.matrix.layout import Column, Row, Slot, TableLayout
from cenbench.matrix.methods import methods
from cenbench.matrix.paper_numbers import PaperNumber, PaperTerms, place
from cenbench.matrix.preset import Preset
from cenbench.matrix.table import TERM_DEFAULTS, TERMS, EntrySpec, GroupSpec, Override, RowSpec, TableSpec, Term
from cenbench.matrix.validation import Issue, Location, as_user_error, dotted_key, issue_from, short_repr, spelling_hint

_PARTS = ("dataset", "network", "protocol", "evaluation")
_CELL_TERMS: tuple[Term, ...] = ("task", "fusion", "stage", "merged", "convs", "norms", "l1")
_PAPER_METHODS = {"exchange": "ours"}
Terms = Mapping[str, Any]


@dataclass(frozen=True)
class _Placed:
    """An entry of the declaration and where it stands in the file."""

    entry: EntrySpec
    location: Location

    def says(self, term: Term) -> bool:
        return self.entry.says(term) is not None

    def overrides(self, part: str) -> dict[str, Any]:
        overridden: dict[str, Any] = getattr(self.entry.override, part)
        return overridden


@dataclass(frozen=True)
class _Asked:
    """A slot of the declaration: the table's defaults, the group if there is one, the row and the column."""

    row: int
    column: int
    entries: tuple[_Placed, ...]


@dataclass
class _Expansion:
    """Makes the cells of one table's slots and notes every mistake on the way, so that they are told together."""

    preset: Preset
    issues: list[Issue] = field(default_factory=list)

    def slot(self, asked: _Asked) -> tuple[Terms, tuple[Cell, ...]]:
        """The slot's terms and its cells, one a seed; no cells, and a mistake noted, where they are impossible."""
        terms = self._terms(asked.entries)
        noted = len(self.issues)
        if len(terms) < len(TERMS):
            return terms, ()
        known = (self._has_method(terms, asked.entries), self._has_stream(terms, asked.entries))
        if not all(known):
            return terms, ()
        kind = Task.parse(terms["task"]).kind
        parts = {part: self._part(kind, part, asked.entries) for part in _PARTS}
        return terms, () if len(self.issues) > noted else self._cells(terms, parts, asked.entries)

    def _terms(self, entries: Sequence[_Placed]) -> dict[str, Any]:
        """What defaults, then group, then row and column say; a term left open or said twice is missing."""
        row, column = entries[-2:]
        terms: dict[str, Any] = {}
        for term in TERMS:
            said = [each for each in entries if each.says(term)]
            if not said and term in TERM_DEFAULTS:
                terms[term] = TERM_DEFAULTS[term]
            elif not said:
                fix = f"say `{term}:` in the row, its group, the column or the table's defaults"
                self.issues.append(Issue(dotted_key((*row.location, term)), "nothing says this term", fix=fix))
            elif row in said and column in said:
                problem, fix = "the columns say this term too", "say it in the rows or in the columns, not in both"
                self.issues.append(Issue(dotted_key((*row.location, term)), problem, fix=fix))
            else:
                terms[term] = said[-1].entry.says(term)
        return terms

    def _has_method(self, terms: Terms, entries: Sequence[_Placed]) -> bool:
        fusion = terms["fusion"]
        if fusion not in methods():
            at = next(each for each in reversed(entries) if each.says("fusion"))
            problem, hint = "there is no such fusion method", spelling_hint(fusion, methods())
            key = dotted_key((*at.location, "fusion"))
            self.issues.append(Issue(key, problem, short_repr(fusion), ", ".join(methods()), hint))
        return fusion in methods()

    def _has_stream(self, terms: Terms, entries: Sequence[_Placed]) -> bool:
        task, stream = Task.parse(terms["task"]), terms["stream"]
        streams = MERGED_STREAMS if terms["merged"] else task.streams
        if stream not in streams:
            at = next(each for each in reversed(entries) if each.says("stream"))
            hint = spelling_hint(stream, streams)
            problem = f"{task} (the task of {dotted_key(entries[-2].location)}) has no such output"
            expected = ", ".join(streams)
            self.issues.append(Issue(dotted_key((*at.location, "stream")), problem, short_repr(stream), expected, hint))
        return stream in streams

    def _part(self, kind: str, part: str, entries: Sequence[_Placed]) -> Any:
        """One part of the preset with the keys the entries override, checked as the preset's own were."""
        preset_part = getattr(getattr(self.preset, kind), part)
        overriding = [each for each in entries if each.overrides(part)]
        if not overriding:
            return preset_part
        row, column = entries[-2:]
        for key in row.overrides(part).keys() & column.overrides(part).keys():
            at = dotted_key((*row.location, "override", part, key))
            self.issues.append(Issue(at, f"this key is overridden by {dotted_key(column.location)} too"))
        changed = {key: value for each in overriding for key, value in each.overrides(part).items()}
        model = type(preset_part)
        try:
            data = preset_part.model_dump(mode="json", exclude_defaults=True) | changed
            return model.model_validate_json(json.dumps(data), strict=True)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                saying = [
                    each for each in overriding if details["loc"][0:1] and details["loc"][0] in each.overrides(part)
                ]
                location = (saying or overriding)[-1].location
                self.issues.append(issue_from(details, model, (*location, "override", part)))
            return preset_part

    def _cells(self, terms: Terms, parts: dict[str, Any], entries: Sequence[_Placed]) -> tuple[Cell, ...]:
        asked = {name: terms[name] for name in _CELL_TERMS} | parts | {"task": Task.parse(terms["task"])}
        try:
            return tuple(Cell(**asked, seed=seed) for seed in self.preset.seeds)
        except ValidationError as error:
            inner = [
                each for each in entries[1:] if each.entry.override != Override() or any(map(each.says, _CELL_TERMS))
            ]
            key = " with ".join(dotted_key(each.location) for each in inner or entries[-2:-1])
            found = ", ".join(f"{name} {_word(terms[name])}" for name in _CELL_TERMS)
            for details in error.errors():
                self.issues.append(Issue(key, str(details["ctx"]["error"]), found))
            return ()


def expand(spec: TableSpec, preset: Preset, numbers: Sequence[PaperNumber], path: Path) -> TableLayout:
    """The layout of the table that `path` declares, under this preset; `numbers` are the paper's, of any table.

    Raises one `UserError` on `path` that lists every impossible row or column, or every number of the paper that has
    no slot of its own.
    """
    declared, spec = spec, _asked_groups(spec, preset, path)
    expansion = _Expansion(preset)
    rows = [row for row in _rows(declared) if row[0] is None or row[0] in spec.groups]
    expansion.issues += _unknown_columns(spec, rows)
    slots_asked = _slots_asked(spec, rows)
    made = [expansion.slot(asked) for asked in slots_asked]
    if expansion.issues:
        raise as_user_error(path, expansion.issues)
    own = [
        replace(each, metric=spec.paper_metrics.get(each.metric, each.metric))
        for each in numbers
        if each.table == spec.number
    ]
    looked_up = [_paper_terms(terms, asked.entries) for (terms, _), asked in zip(made, slots_asked, strict=True)]
    columns = tuple(Column(each.label, each.metrics or spec.metrics, each.emphasised) for each in spec.columns)
    paper = place(own, looked_up, [columns[asked.column].metrics for asked in slots_asked], path, whole=spec.whole)
    slots = tuple(
        Slot(asked.row, asked.column, cells, terms["stream"], says, _paper_data(found))
        for asked, (terms, cells), says, found in zip(slots_asked, made, paper, looked_up, strict=True)
    )
    sources = ", ".join(dict.fromkeys(each.source for each in own))
    labelled = tuple(Row(group.label if group else None, row_labels(spec, group, row)) for group, row, _ in rows)
    return TableLayout(
        number=spec.number,
        name=f"table{spec.number}",
        title=spec.title,
        caption=spec.caption,
        stub=tuple(each.heading for each in spec.stub),
        rows=labelled,
        columns=columns,
        slots=slots,
        footers=(*spec.footers, *([f"The paper's numbers: {sources}."] if sources else [])),
        protocol_lines=(*protocol_lines(preset, slots), *override_lines(spec)),
        group_heading=spec.group_heading or "",
    )


def _asked_groups(spec: TableSpec, preset: Preset, path: Path) -> TableSpec:
    """The declaration with those row groups that the preset asks for."""
    asked = preset.groups.get(f"table{spec.number}")
    if asked is None:
        return spec
    labels = [group.label for group in spec.groups]
    for label in asked:
        if label not in labels:
            problem = f"preset {preset.name} asks for a row group that this table does not have"
            raise as_user_error(
                path, [Issue("groups", problem, short_repr(label), "; ".join(labels), spelling_hint(label, labels))]
            )
    groups = tuple(group for group in spec.groups if group.label in asked)
    return spec.model_copy(update={"groups": groups, "whole": False})


def _rows(spec: TableSpec) -> list[tuple[GroupSpec | None, RowSpec, tuple[_Placed, ...]]]:
    """Each row with its group, and both where they stand in the file."""
    rows: list[tuple[GroupSpec | None, RowSpec, tuple[_Placed, ...]]] = []
    for index, row in enumerate(spec.rows):
        rows.append((None, row, (_Placed(row, ("rows", index)),)))
    for outer, group in enumerate(spec.groups):
        placed_group = _Placed(group, ("groups", outer))
        for index, row in enumerate(group.rows):
            rows.append((group, row, (placed_group, _Placed(row, ("groups", outer, "rows", index)))))
    return rows


def _slots_asked(
    spec: TableSpec, rows: Sequence[tuple[GroupSpec | None, RowSpec, tuple[_Placed, ...]]]
) -> list[_Asked]:
    defaults = _Placed(spec.defaults, ("defaults",))
    columns = [_Placed(column, ("columns", index)) for index, column in enumerate(spec.columns)]
    return [
        _Asked(row, column, (defaults, *placed_row, placed_column))
        for row, (group, row_spec, placed_row) in enumerate(rows)
        for column, placed_column in enumerate(columns)
        if _has_slot(group, row_spec, spec.columns[column].label)
    ]


def _unknown_columns(
    spec: TableSpec, rows: Sequence[tuple[GroupSpec | None, RowSpec, tuple[_Placed, ...]]]
) -> list[Issue]:
    """Labels in an `only:`, of a row or a group, that no column has."""
    columns = [column.label for column in spec.columns]
    issues = []
    for entry, location in ((each.entry, each.location) for _, _, placed in rows for each in placed):
        for label in (entry.only or ()) if isinstance(entry, RowSpec | GroupSpec) else ():
            if label not in columns:
                key, hint = dotted_key((*location, "only")), spelling_hint(label, columns)
                issues.append(Issue(key, "no column has this label", short_repr(label), ", ".join(columns), hint))
    return issues


def _has_slot(group: GroupSpec | None, row: RowSpec, column: str) -> bool:
    only = row.only or (group.only if group else None)
    return only is None or column in only


def _paper_terms(terms: Terms, entries: Sequence[_Placed]) -> PaperTerms | None:
    """The slot as the paper's file would name it; None where the paper has no such slot."""
    if not all(each.entry.in_paper for each in entries):
        return None
    words = {name: _word(value) for name, value in terms.items()}
    words |= {
        "method": _PAPER_METHODS.get(terms["fusion"], str(terms["fusion"])),
        "exchange": _word(methods()[terms["fusion"]].acts == "norms"),
    }
    for each in entries:
        words.update({str(name): word for name, word in each.entry.paper_terms.items()})
    return PaperTerms(words, as_preset=all(each.entry.override == Override() for each in entries))


def _paper_data(slot: PaperTerms | None) -> str | None:
    """`nyudv2` of a slot the paper's file calls `nyudv2/pspnet-resnet152`."""
    dataset, named, _ = slot.terms["task"].partition("/") if slot else ("", "", "")
    return dataset if named else None


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
