"""Read a JSON file strictly: a regular file of sane size, UTF-8, standard JSON, values that can be written again.

What json.loads accepts and later code cannot handle is refused here, in one place: NaN and Infinity, numbers that
overflow, integers of thousands of digits, duplicate keys, lone surrogates, nesting deep enough to exhaust the stack.
Every reason becomes a `UserError` that names the file; no other exception leaves this module.
"""
# changes no number: documents are read as they are, or refused

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.regular_file import read_regular

LARGEST_BYTES = 256 * 2**20
DEEPEST = 100
"""Levels of nesting; what this program writes has fewer than ten."""
_LONGEST_INT = 20
"""Digits and a sign: every 64-bit integer fits."""
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_strict(path: Path, *, fix: str | None = None) -> tuple[Any, str]:
    """The value in `path`, and the text it was read from (read once, so that both are of the same moment).

    `UserError` where the file is missing, cannot be read, is not a regular file, is larger than `LARGEST_BYTES`, or is
    not strict JSON.
    """
    data = read_regular(path, LARGEST_BYTES, fix=fix)
    try:
        text = data.decode("utf-8")
        return parse(text), text
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors too
        raise UserError(f"{path.name} is not valid JSON", where=path, found=str(error), fix=fix) from None


def parse(text: str) -> Any:
    """The JSON value in `text`; ValueError says what is not strict about it."""
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(text)
    try:
        value = json.loads(
            text, parse_constant=_refuse, parse_int=_int, parse_float=_float, object_pairs_hook=_without_duplicates
        )
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} levels deep") from None
    if "\\u" in text:  # the only way for one to get into a text that was valid UTF-8
        _check_surrogates(value)
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _int(text: str) -> int:
    if len(text) > _LONGEST_INT:
        raise ValueError(f"an integer of {len(text):,} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:_LONGEST_INT]} overflows")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError(f"duplicate key {_first_duplicate([key for key, _ in pairs])!r}")
    return mapping


def _first_duplicate(keys: list[str]) -> str:
    """The first key that was there before; in one pass, since an object may have millions of keys."""
    seen = set[str]()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no duplicates")


def _check_depth(text: str) -> None:
    """Count brackets outside of strings; cheaper than finding out by exhausting the stack."""
    depth, place = 0, 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        depth += match[0] in "[{"
        depth -= match[0] in "]}"
        if depth > DEEPEST:
            place = match.start()
            raise ValueError(f"nested more than {DEEPEST} levels deep at character {place:,}")


def _check_surrogates(value: Any) -> None:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += [*found, *found.values()]
        elif isinstance(found, list):
            waiting += found
        elif isinstance(found, str) and _LONE_SURROGATE.search(found):
            raise ValueError("a lone surrogate in a text: it cannot be written again")
