"""The paper's own numbers, read from `params/paper/tables_reference.csv` and placed by a table's terms.

A line of that file identifies a slot by the terms of its table; a term left blank does not matter. Each line must match
exactly one slot, so that no number is shown in the wrong place, twice, or silently dropped. A slot without a line stays
empty: a number is never filled in.
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
    """One printed number: the terms of its slot, the metric, and the source. `line` is its line in the CSV."""

    table: int
    terms: tuple[tuple[str, str], ...]
    metric: str
    value: float
    decimals: int
    source: str
    line: int

    def fits(self, terms: Mapping[str, str]) -> bool:
        return all(terms.get(name) == value for name, value in self.terms)


def paper_file(params: Path) -> Path:
    return params / "paper" / "tables_reference.csv"


def read_paper_numbers(params: Path) -> list[PaperNumber]:
    """All numbers of the file. Raises `UserError` with the line for a wrong header, an invalid value or a duplicate."""
    path = paper_file(params)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("the paper's numbers cannot be read", where=path, fix="git checkout -- params/paper") from error
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:  # for example an unclosed field
        raise UserError("not a CSV file", where=path, found=str(error)) from error
    header = tuple(rows[0]) if rows else ()
    if header != _HEADER:
        found, expected = short_repr(",".join(header), quote=False), ",".join(_HEADER)
        raise UserError("wrong columns", where=path, key="line 1", found=found, expected=expected)
    numbers: dict[tuple[object, ...], PaperNumber] = {}
    for line, row in enumerate(rows[1:], start=2):
        number = _parse(path, line, row)
        first = numbers.setdefault((number.table, number.terms, number.metric), number)
        if first is not number:
            raise UserError("two numbers for the same slot", where=path, key=f"lines {first.line} and {line}")
    return list(numbers.values())


def _parse(path: Path, line: int, row: Sequence[str]) -> PaperNumber:
    try:
        table, *terms, metric, value, source = row
        named = tuple((name, term) for name, term in zip(TERMS, terms, strict=True) if term)
        decimals = len(value.partition(".")[2])
        number = PaperNumber(int(table), named, metric, float(value), decimals, source, line)
    except ValueError as error:
        raise UserError(
            "invalid line", where=path, key=f"line {line}", found=short_repr(",".join(row), quote=False)
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
    """A slot in the terms of the paper's file. `as_preset`: nothing of the preset is overridden for it."""

    terms: Mapping[str, str]
    as_preset: bool


def place_numbers(
    numbers: Sequence[PaperNumber],
    slots: Sequence[PaperTerms | None],
    metrics: Sequence[Sequence[str]],
    table_file: Path,
    *,
    whole: bool,
) -> list[dict[str, float]]:
    """The paper's numbers of each slot, metric -> value; none for a slot that is None, which the paper does not have.

    `metrics` are those each slot shows. Every number must match exactly one slot that shows its metric. Where slots
    differ only in overridden parameters, the number belongs to the one without overrides. `whole=False` allows numbers
    that match no slot, for a table that leaves rows out on purpose. Raises `UserError` on `table_file` otherwise.
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
        fix = "restore its row, or set `whole: false` if rows are left out on purpose"
        return Issue("", f"{what} has no slot in this table", fix=fix)
    if fitting > 1:
        fix = "set `in_paper: false` on the row that is not the paper's"
        return Issue("", f"{what} matches {fitting} slots of this table", fix=fix)
    return Issue("metrics", f"{what} has a metric this table does not show")
