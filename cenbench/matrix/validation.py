"""From the issues found in a file of `params/` to one error message; several issues are reported together."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cenbench.errors import UserError
from cenbench.matrix.key_lines import Location, key_lines

_MAX_LENGTH = 80
_MAX_KEYS = 4
_BETWEEN_KEYS = r"( with |, | and [0-9]+ more$)"
_TYPE_NAMES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "string_too_long": ("a string of length at most", "max_length"),
    "string_too_short": ("a string of length at least", "min_length"),
    "too_short": ("a list of length at least", "min_length"),
    "too_long": ("a list of length at most", "max_length"),
}
"""Pydantic's error type -> its bound in words, and the name of the bound in the error's context."""


@dataclass(frozen=True)
class Issue:
    """One thing to fix in one file; `key` is dotted_key, e.g. `rows[3].convs`, or several of them (`joint_key`)."""

    key: str
    problem: str
    found: object = None
    expected: object = None
    fix: str | None = None

    def line(self) -> str:
        """The issue on one line, for a list of several."""
        parts = [f"{self.key}: {self.problem}" if self.key else self.problem]
        parts += [f"found {self.found}"] if self.found is not None else []
        parts += [f"expected {self.expected}"] if self.expected is not None else []
        parts += [self.fix] if self.fix else []
        return "; ".join(parts)


def as_user_error(path: Path, issues: Sequence[Issue]) -> UserError:
    """One error for all issues of a file, each with its key's line there.

    A single issue fills the error's own fields, several are listed.
    """
    lines_of_keys = {dotted_key(location): line for location, line in key_lines(path).items()}
    distinct = [replace(issue, key=_with_lines(issue.key, lines_of_keys)) for issue in dict.fromkeys(issues)]
    if len(distinct) == 1:
        one = distinct[0]
        return UserError(
            one.problem,
            where=path,
            key=one.key or None,
            found=one.found,
            expected=one.expected,
            fix=one.fix or "edit the file, then check it with: cenbench plan",
        )
    lines = "\n".join(f"  {number}. {issue.line()}" for number, issue in enumerate(distinct, start=1))
    return UserError(
        f"{len(distinct)} errors in {path.name}:\n{lines}",
        where=path,
        fix="edit the file, then check it with: cenbench plan",
    )


def joint_key(keys: Sequence[str]) -> str:
    """Up to four keys that share an issue, and how many more there are."""
    more = f" and {len(keys) - _MAX_KEYS} more" if len(keys) > _MAX_KEYS else ""
    return ", ".join(keys[:_MAX_KEYS]) + more


def _with_lines(key: str, lines: Mapping[str, int]) -> str:
    """The key, or each key of several, with its line: `rows[3].convs (line 23)`."""
    return "".join(_with_line(part, lines) for part in re.split(_BETWEEN_KEYS, key))


def _with_line(key: str, lines: Mapping[str, int]) -> str:
    """The key with its own line, or with that of the innermost key around it that the file has."""
    around = key
    while around and around not in lines:
        around = around[: max(around.rfind("."), around.rfind("["), 0)]
    return f"{key} (line {lines[around]})" if around else key


def dotted_key(location: Iterable[str | int]) -> str:
    """`("rows", 3, "convs")` as `rows[3].convs`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{short_repr(part, quote=False)}"
    return text.removeprefix(".")


def short_repr(value: object, *, quote: bool = True) -> str:
    """`value` on one line of at most 80 printable characters."""
    text = repr(value) if quote or not str(value).isprintable() else str(value)
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 3]}..."


def spelling_hint(word: object, allowed: Iterable[str]) -> str | None:
    """ "did you mean ...?" with the allowed word that `word` is probably a typo of; None if there is none."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None


def unknown_name(problem: str, name: str, known: Sequence[str], where: Path, if_none: str) -> UserError:
    """The error for a name that is none of the `known` ones; `if_none` states what is expected where there are none."""
    expected, hint = ", ".join(known) or if_none, spelling_hint(name, known)
    return UserError(f"{problem} {short_repr(name)}", where=where, expected=expected, fix=hint)


def issues_from(error: ValidationError, model: type[BaseModel]) -> list[Issue]:
    """Pydantic's errors on a file read as `model`, reworded; entries that are wrong make no list too short."""
    found = error.errors(include_url=False)
    around = {details["loc"][:depth] for details in found for depth in range(len(details["loc"]))}
    return [
        issue_from(details, model)
        for details in found
        if details["type"] != "too_short" or details["loc"] not in around
    ]


def first_issue(error: ValidationError) -> Issue:
    """The first of pydantic's errors on a file that this program writes: its key, and what is wrong in a few words."""
    first = error.errors(include_url=False, include_input=False)[0]
    return Issue(dotted_key(first["loc"]), first["msg"])


def issue_from(details: ErrorDetails, model: type[BaseModel], prefix: Location = ()) -> Issue:
    """One of pydantic's errors, reworded; `prefix` is the location of `model` in the file."""
    kind, context = details["type"], details.get("ctx", {})
    location = details["loc"]
    key = dotted_key((*prefix, *location))
    found = short_repr(details["input"])
    if kind == "extra_forbidden":
        inner = _model_at(model, location[:-1])
        allowed = list(inner.model_fields)
        moved: Mapping[object, str] = getattr(inner, "MOVED", {})
        hint = moved.get(location[-1]) or spelling_hint(location[-1], allowed)
        return Issue(key, "unknown key", location[-1], ", ".join(allowed), hint)
    if kind == "missing":
        place = dotted_key((*prefix, *location[:-1])) or "the file"
        return Issue(key, "missing key", fix=f"add `{location[-1]}:` to {place}")
    if kind == "literal_error":
        allowed_words = (word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", "))
        allowed = [{"True": "true", "False": "false"}.get(word, word) for word in allowed_words]
        hint = spelling_hint(details["input"], allowed)
        return Issue(key, "invalid value", found, ", ".join(allowed), hint)
    if kind == "value_error" and isinstance(details["input"], dict):
        problem = str(context["error"])
        return Issue(dotted_key((*prefix, *location, *_named_in(problem, details["input"]))), problem)
    if kind == "value_error":
        return Issue(key, str(context["error"]), found)
    if kind == "string_pattern_mismatch":
        return Issue(key, "invalid string", found, f"a string that matches {context['pattern']}")
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return Issue(key, "value out of range", found, f"{words} {context[bound]}")
    return Issue(key, "wrong type", found, _TYPE_NAMES.get(kind, details["msg"]))


def _named_in(problem: str, values: Mapping[str, Any]) -> Location:
    """Location of the setting that a message about several begins with, "batch_size 300 exceeds": the only one of that
    name and value in `values`; empty if there is none.
    """
    name, _, rest = problem.partition(" ")
    named = [
        (*outer, key)
        for outer, inner in [((), values), *(((part,), value) for part, value in values.items())]
        if isinstance(inner, Mapping)
        for key, value in inner.items()
        if key == name.removesuffix(":") and f"{rest} ".startswith(f"{value} ")
    ]
    return named[0] if len(named) == 1 else ()


def _model_at(model: type[BaseModel], location: Iterable[str | int]) -> type[BaseModel]:
    """The model at `location` below `model`; list indices are ignored."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X`, `X | None`, `tuple[X, ...]`, `Annotated[...]`, `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for argument in get_args(annotation) if (model := _model_in(argument)) is not None), None)
