"""The paper's own numbers, looked up by a table's terms in `params/paper/tables_reference.csv`. Never filled in.

A line of that file names a slot by the terms its table speaks in; a term left blank there is one the table does not
speak of. Each line must find exactly one slot, so a number is never shown in a wrong place, twice, or silently dropped.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.validation import Issue, as_user_error, short_repr

TERMS = ("task", "method", "stage", "convs", "norms", "l1", "exchange", "stream")
_HEADER = ("table", *TERMS, "metric", "value", "source")


@dataclass(frozen=True)
class PaperNumber:
    """One printed number: the terms its slot has, the metric, and who says so. `line` is its place in the CSV."""

    table: int
    terms: tuple[tuple[str, str], ...]
    metric: str
    value: float
    source: str
    line: int

    def fits(self, terms: Mapping[str, str]) -> bool:
        return all(terms.get(name) == value for name, value in self.terms)


def paper_file(params: Path) -> Path:
    return params / "paper" / "tables_reference.csv"


def read_paper_numbers(params: Path) -> list[PaperNumber]:
    """Every number of the file; `UserError` naming the line for a wrong header, a value that is none, a repetition."""
    path = paper_file(params)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("the paper's numbers cannot be read", where=path, fix="git checkout -- params/paper") from error
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:  # a field that never ends, for one
        raise UserError("not comma-separated values", where=path, found=str(error)) from error
    header = tuple(rows[0]) if rows else ()
    if header != _HEADER:
        found, expected = short_repr(",".join(header), quote=False), ",".join(_HEADER)
        raise UserError("wrong columns", where=path, key="line 1", found=found, expected=expected)
    numbers: dict[tuple[object, ...], PaperNumber] = {}
    for line, row in enumerate(rows[1:], start=2):
        number = _parse(path, line, row)
        first = numbers.setdefault((number.table, number.terms, number.metric), number)
        if first is not number:
            raise UserError("the same slot has two numbers", where=path, key=f"lines {first.line} and {line}")
    return list(numbers.values())


def _parse(path: Path, line: int, row: Sequence[str]) -> PaperNumber:
    try:
        table, *terms, metric, value, source = row
        named = tuple((name, term) for name, term in zip(TERMS, terms, strict=True) if term)
        number = PaperNumber(int(table), named, metric, float(value), source, line)
    except ValueError as error:
        raise UserError(
            "not a line of numbers", where=path, key=f"line {line}", found=short_repr(",".join(row), quote=False)
        ) from error
    if not math.isfinite(number.value) or not source:
        raise UserError(
            "a number must be finite and have a source",
            where=path,
            key=f"line {line}",
            found=short_repr(",".join(row), quote=False),
        )
    return number


@dataclass(frozen=True)
class PaperTerms:
    """A slot as the paper's file would name it; `as_preset` where nothing of the preset is overridden for it."""

    terms: Mapping[str, str]
    as_preset: bool


def place(
    numbers: Sequence[PaperNumber],
    slots: Sequence[PaperTerms | None],
    metrics: Sequence[Sequence[str]],
    table_file: Path,
    *,
    whole: bool,
) -> list[dict[str, float]]:
    """For each slot (None: one the paper does not have) what the paper says, metric -> value.

    `metrics` are those each slot shows. Every number must fit exactly one slot that shows its metric. Where slots
    differ only in overridden parameters, the number belongs to the one run as the preset says. `whole=False` forgives
    numbers that fit none, for a table that leaves rows out on purpose. Raises `UserError` on `table_file` otherwise.
    """
    placed: list[dict[str, float]] = [{} for _ in slots]
    issues = []
    for number in numbers:
        fitting = [index for index, slot in enumerate(slots) if slot is not None and number.fits(slot.terms)]
        fitting = [index for index in fitting if number.metric in metrics[index]] or fitting
        if len(fitting) > 1:
            fitting = [index for index in fitting if (slot := slots[index]) and slot.as_preset] or fitting
        if len(fitting) == 1 and number.metric in metrics[fitting[0]]:
            placed[fitting[0]][number.metric] = number.value
        elif fitting or whole:
            issues.append(_misplaced(number, len(fitting)))
    if issues:
        raise as_user_error(table_file, issues)
    return placed


def _misplaced(number: PaperNumber, fitting: int) -> Issue:
    terms = ", ".join(f"{name} {value}" for name, value in number.terms)
    what = f"the paper's {number.metric} {number.value} ({terms}; line {number.line} of tables_reference.csv)"
    if fitting == 0:
        fix = "put its row back, or say `whole: false` where rows are left out on purpose"
        return Issue("", f"{what} has no slot in this table", fix=fix)
    if fitting > 1:
        fix = "say `in_paper: false` on the row that is not the paper's"
        return Issue("", f"{what} fits {fitting} slots of this table", fix=fix)
    return Issue("metrics", f"{what} is of a metric this table does not show")
