"""From the entries of a declaration, outer before inner, to the cells of one slot; every issue is collected. Pure."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from cenbench.matrix.cell import MERGED_STREAMS, TARGETS, Cell, Task
from cenbench.matrix.dataset_names import unknown_dataset
from cenbench.matrix.key_lines import Location
from cenbench.matrix.limits import excesses
from cenbench.matrix.methods import methods
from cenbench.matrix.preset import Preset
from cenbench.matrix.slot_issues import SlotIssue
from cenbench.matrix.specs import DatasetSpec
from cenbench.matrix.stored_arrays import STORED, stored_name
from cenbench.matrix.table import TERM_DEFAULTS, TERMS, Override, Term, TermsSpec
from cenbench.matrix.validation import Issue, dotted_key, issue_from, short_repr, spelling_hint

_PARTS = ("dataset", "network", "protocol", "evaluation")
_CELL_TERMS: tuple[Term, ...] = ("task", "fusion", "stage", "merged", "convs", "norms", "l1")
_OF_ROWS: tuple[Location, ...] = (("rows",), ("groups",), ("series",))
"""Where the entries are that set a single row or series; columns and defaults serve rows that differ in their terms."""
Terms = Mapping[str, Any]
_Spec = TypeVar("_Spec", bound=TermsSpec, covariant=True)


@dataclass(frozen=True)
class Entry(Generic[_Spec]):
    """A part of a declaration that sets terms (a table's row, a figure's series), and its place in the file."""

    spec: _Spec
    location: Location

    def sets(self, term: Term) -> bool:
        return self.spec.term(term) is not None

    def overrides(self, part: str) -> dict[str, Any]:
        overridden: dict[str, Any] = getattr(self.spec.override, part)
        return overridden

    def key(self, *below: str) -> str:
        return dotted_key((*self.location, *below))


Entries = Sequence[Entry[TermsSpec]]


@dataclass
class CellBuilder:
    """Builds the cells of tables and figures and collects every issue, so that they are reported together."""

    preset: Preset
    issues: list[Issue] = field(default_factory=list)
    _built: dict[Hashable, tuple[Cell, ...]] = field(default_factory=dict)
    """What a cell is made of -> the cell of each seed: slots that show outputs of one network share its cells."""
    _unused: dict[str, str | None] = field(default_factory=dict)
    """Key of an override -> terms of a cell that does not use it; None if another one does."""

    def build(self, entries: Entries) -> tuple[Terms, tuple[Cell, ...]]:
        """The terms that the entries set and their cells, one per seed; the row and the column are the last entries.

        Impossible cells are left out and recorded as issues.
        """
        terms = self._terms(entries)
        issues_before = len(self.issues)
        if len(terms) < len(TERMS):
            return terms, ()
        known = (self._has_method(terms, entries), self._has_stream(terms, entries))
        if not all(known):
            return terms, ()
        task = Task.parse(terms["task"])
        parts = {part: self._part(task.kind, part, entries) for part in _PARTS}
        self._check_stored(task, parts["dataset"], entries)
        parts["fusion_parameters"] = self._fusion_parameters(terms["fusion"], entries)
        cells = () if len(self.issues) > issues_before else self._cells(terms, parts, entries)
        if cells:
            self._note_uses(cells[0], entries)
        if cells and any(entry.overrides(part) for entry in entries for part in _PARTS):  # else the preset's own
            self.issues += _excesses(cells[0], entries)
        return terms, cells

    def unused_overrides(self) -> list[Issue]:
        """An issue for each protocol setting that a row, its group or a series overrides and none of its cells uses."""
        problem, fix = "no cell of this entry uses this setting", "remove it, or set the l1 or fusion that uses it"
        return [Issue(key, problem, terms, fix=fix) for key, terms in self._unused.items() if terms is not None]

    def _note_uses(self, cell: Cell, entries: Entries) -> None:
        unread = set(cell.unread_by_terms())
        for entry in entries:
            for name in entry.overrides("protocol") if entry.location[:1] in _OF_ROWS else ():
                used = f"protocol.{name}" not in unread
                key = entry.key("override", "protocol", name)
                found = self._unused.setdefault(key, f"l1 {cell.l1}, fusion {cell.fusion}")
                self._unused[key] = None if used else found

    def _terms(self, entries: Entries) -> dict[str, Any]:
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

    def _has_method(self, terms: Terms, entries: Entries) -> bool:
        fusion = terms["fusion"]
        if fusion not in methods():
            key = _last_setting(entries, "fusion").key("fusion")
            hint = spelling_hint(fusion, methods())
            self.issues.append(Issue(key, "unknown fusion method", short_repr(fusion), ", ".join(methods()), hint))
        return fusion in methods()

    def _has_stream(self, terms: Terms, entries: Entries) -> bool:
        task, stream = Task.parse(terms["task"]), terms["stream"]
        streams = MERGED_STREAMS if terms["merged"] else task.streams
        if stream not in streams:
            key = _last_setting(entries, "stream").key("stream")
            problem = f"{task} (the task of {entries[-2].key()}) has no such output"
            hint, allowed = spelling_hint(stream, streams), ", ".join(streams)
            self.issues.append(SlotIssue(key, problem, short_repr(stream), allowed, hint, mistake=f"{key} {stream}"))
        return stream in streams

    def _check_stored(self, task: Task, dataset: DatasetSpec, entries: Entries) -> None:
        """An issue for each input, and for the target, that the dataset is known not to have."""
        stored = STORED.get(dataset.name)
        if stored is None:
            return
        for name in (*task.inputs, task.target):
            array = stored_name(name, task.kind)
            if array not in stored:
                key = _last_setting(entries, "task").key("task")
                problem = f"{dataset.name}, the dataset of this task, does not have this modality"
                allowed = ", ".join(word for word in TARGETS if stored_name(word, task.kind) in stored)
                fix = f"datasets that have it: {', '.join(other for other in STORED if array in STORED[other])}"
                mistake = f"{key} {name} {dataset.name}"
                self.issues.append(SlotIssue(key, problem, short_repr(name), allowed, fix, mistake=mistake))

    def _overridden(self, part: str, entries: Entries) -> dict[str, Any]:
        """The keys of a part that the entries override, with the values that apply."""
        row, column = entries[-2:]
        for key in row.overrides(part).keys() & column.overrides(part).keys():
            keys = [entry.key("override", part, key) for entry in (row, column)]
            problem, fix = "the row and the column both override this key", "override it in one of them"
            self.issues.append(SlotIssue(keys[0], problem, fix=fix, others=(keys[1],), mistake=f"{part}.{key} twice"))
        return {key: value for entry in entries for key, value in entry.overrides(part).items()}

    def _fusion_parameters(self, fusion: str, entries: Entries) -> dict[str, float]:
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

    def _part(self, kind: str, part: str, entries: Entries) -> Any:
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

    def _cells(self, terms: Terms, parts: dict[str, Any], entries: Entries) -> tuple[Cell, ...]:
        fields = {name: terms[name] for name in _CELL_TERMS} | parts | {"task": Task.parse(terms["task"])}
        content = tuple(tuple(value.items()) if isinstance(value, dict) else value for value in fields.values())
        if content in self._built:
            return self._built[content]
        try:
            cells = tuple(Cell(**fields, seed=seed) for seed in self.preset.seeds)
            for cell in cells:  # the same names for every cell; a set of its own takes each of them 728 bytes
                object.__setattr__(cell, "__pydantic_fields_set__", cells[0].model_fields_set)
            self._built[content] = cells
            return cells
        except ValidationError as error:
            involved = [
                entry for entry in entries[1:] if entry.spec.override != Override() or any(map(entry.sets, _CELL_TERMS))
            ]
            key, *others = (entry.key() for entry in involved or entries[-2:-1])
            found = ", ".join(f"{name} {term_word(terms[name])}" for name in _CELL_TERMS)
            for details in error.errors():
                problem = str(details["ctx"]["error"])
                self.issues.append(SlotIssue(key, problem, found, others=tuple(others), mistake=problem))
            return ()


def _excesses(cell: Cell, entries: Entries) -> list[Issue]:
    """Issues of values that no run can use, each at the override that sets it, or at the last one."""
    issues: list[Issue] = []
    for excess in excesses(cell):
        key = excess.key.partition(".")[0]
        setting = [entry for entry in entries if key in entry.overrides(excess.part)]
        overriding = [entry for entry in entries if any(map(entry.overrides, _PARTS))]
        issues.append(excess.issue((setting or overriding)[-1].key("override")))
    return issues


def term_word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _last_setting(entries: Entries, term: Term) -> Entry[TermsSpec]:
    """The entry whose value of the term applies."""
    return next(entry for entry in reversed(entries) if entry.sets(term))
