"""The paper's own numbers, read from `params/paper/tables_reference.csv` and placed by a table's terms.

A line of that file identifies a slot by the terms of its table; a term left blank does not matter. Each line must match
exactly one slot, so that no number is shown in the wrong place, twice, or silently dropped. A slot without a line stays
empty: a number is never filled in.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.metrics import is_possible, limits, metrics
from cenbench.matrix.validation import Issue, as_user_error, short_repr
from cenbench.matrix.yaml_file import is_given
from cenbench.regular_file import not_utf8, read_regular

TERMS = ("task", "method", "stage", "convs", "norms", "l1", "exchange", "stream")
_HEADER = ("table", *TERMS, "metric", "value", "source")
_TABLES = range(1, 10)
"""The paper's own."""
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)
_MOST_BYTES = 2**24
_RESTORE = "git checkout -- params/paper"


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
    """All numbers of the file; empty lines are skipped.

    Raises `UserError` for a file that cannot be read, is not CSV or has no lines, a wrong header, a field that is
    invalid, a table without a file, a number that its metric cannot have, and a duplicate, with the line.
    """
    path = paper_file(params)
    rows = _rows(path)
    if not rows or tuple(rows[0][1]) != _HEADER:
        found = short_repr(",".join(rows[0][1]), quote=False) if rows else "an empty file"
        raise UserError("wrong columns", where=path, key="line 1", found=found, expected=",".join(_HEADER))
    if len(rows) == 1:
        problem = "the paper's numbers are missing: this file has no line of numbers"
        raise UserError(problem, where=path, expected="a line per number of the paper", fix=_RESTORE)
    tables = [number for number in range(1, 100) if number in _TABLES or is_given(params / f"table{number}.yaml")]
    numbers: dict[tuple[object, ...], PaperNumber] = {}
    for line, row in rows[1:]:
        number = _parse(path, line, row, tables)
        first = numbers.setdefault((number.table, number.terms, number.metric), number)
        if first is not number:
            raise UserError("two numbers for the same slot", where=path, key=f"lines {first.line} and {line}")
    return list(numbers.values())


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of the file that have any text, each with the number of the line it begins in."""
    try:
        text = read_regular(path, _MOST_BYTES, fix=_RESTORE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error, fix=_RESTORE) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    rows, line = [], 1
    try:
        for row in reader:
            if any(field.strip() for field in row):
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:  # for example an unclosed field
        raise UserError("not a CSV file", where=path, key=f"line {line}", found=str(error)) from error
    return rows


def _parse(path: Path, line: int, row: Sequence[str], tables: Sequence[int]) -> PaperNumber:
    def invalid(field: str, found: str, expected: str, problem: str = "invalid value") -> UserError:
        shown = short_repr(found) if found else "nothing"
        return UserError(
            f"{problem} in a line of numbers", where=path, key=f"{field} (line {line})", found=shown, expected=expected
        )

    if len(row) != len(_HEADER):
        expected = f"{len(_HEADER)} fields: {','.join(_HEADER)}"
        raise UserError("wrong number of fields", where=path, key=f"line {line}", found=len(row), expected=expected)
    table, *terms, metric, value, source = row
    if table not in map(str, tables):
        raise invalid("table", table, f"the number of a table: {', '.join(map(str, tables))}", "unknown table")
    if not _NUMBER.fullmatch(value):
        raise invalid("value", value, "a number such as 51.1")
    if not metric:
        raise invalid("metric", metric, "the key of a metric, such as miou_pct")
    if metric in metrics() and not is_possible(metric, float(value)):
        low, high = limits(metric)
        bounds = [f"at least {low:g}"] if math.isfinite(low) else []
        bounds += [f"at most {high:g}"] if math.isfinite(high) else []
        raise invalid("value", value, f"{', '.join(bounds)}, like every {metric}", "value out of range")
    if not source.strip():
        raise invalid("source", source, "where the number is printed")
    named = tuple((name, term) for name, term in zip(TERMS, terms, strict=True) if term)
    return PaperNumber(int(table), named, metric, float(value), len(value.partition(".")[2]), source, line)


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
