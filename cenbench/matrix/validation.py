"""From what is wrong in a file of `params/` to one message a person can act on; several issues are told together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cenbench.errors import UserError

Location = tuple[str | int, ...]
_LONGEST_SHOWN = 80
_TYPE_NAMES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("over", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("under", "lt"),
    "less_than_equal": ("at most", "le"),
    "string_too_long": ("at most this many characters:", "max_length"),
    "string_too_short": ("at least this many characters:", "min_length"),
    "too_short": ("at least this many entries:", "min_length"),
    "too_long": ("at most this many entries:", "max_length"),
}


@dataclass(frozen=True)
class Issue:
    """One thing to fix in one file; `key` is dotted_key, e.g. `rows[3].convs`."""

    key: str
    problem: str
    found: object = None
    expected: object = None
    fix: str | None = None

    def line(self) -> str:
        """The mistake on one line, for a list of several."""
        parts = [f"{self.key}: {self.problem}" if self.key else self.problem]
        parts += [f"found {self.found}"] if self.found is not None else []
        parts += [f"expected {self.expected}"] if self.expected is not None else []
        parts += [self.fix] if self.fix else []
        return "; ".join(parts)


def as_user_error(path: Path, issues: Sequence[Issue]) -> UserError:
    """The error of one file: with one mistake its parts stand apart, with more each has a line."""
    distinct = list(dict.fromkeys(issues))
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
    lines = "\n".join(f"  {number}. {each.line()}" for number, each in enumerate(distinct, start=1))
    return UserError(
        f"{len(distinct)} errors in {path.name}:\n{lines}",
        where=path,
        fix="edit the file, then check it with: cenbench plan",
    )


def dotted_key(location: Iterable[str | int]) -> str:
    """`("rows", 3, "convs")` as `rows[3].convs`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{short_repr(part, quote=False)}"
    return text.removeprefix(".")


def short_repr(value: object, *, quote: bool = True) -> str:
    """`value` on one short line, whatever it holds."""
    text = repr(value) if quote or not str(value).isprintable() else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def spelling_hint(word: object, allowed: Iterable[str]) -> str | None:
    """The one allowed word that looks most like a typo of `word`, as a hint."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None


def issues_from(error: ValidationError, model: type[BaseModel]) -> list[Issue]:
    """Say pydantic's findings on a file read as `model` in our words."""
    return [issue_from(details, model) for details in error.errors(include_url=False)]


def issue_from(details: ErrorDetails, model: type[BaseModel], prefix: Location = ()) -> Issue:
    """One of pydantic's findings in our words; `prefix` leads to where `model` stands in the file."""
    kind, context = details["type"], details.get("ctx", {})
    location = details["loc"]
    key = dotted_key((*prefix, *location))
    found = short_repr(details["input"])
    if kind == "extra_forbidden":
        allowed = _keys_at(model, location[:-1])
        return Issue(key, "unknown key", location[-1], ", ".join(allowed), spelling_hint(location[-1], allowed))
    if kind == "missing":
        place = dotted_key((*prefix, *location[:-1])) or "the file"
        return Issue(key, "this key is missing", fix=f"add `{location[-1]}:` to {place}")
    if kind == "literal_error":
        allowed = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        hint = spelling_hint(details["input"], allowed)
        return Issue(key, "this value is not allowed", found, ", ".join(allowed), hint)
    if kind == "value_error":
        return Issue(key, str(context["error"]), found if not isinstance(details["input"], dict) else None)
    if kind == "string_pattern_mismatch":
        return Issue(key, "this text is not allowed here", found, f"text that matches {context['pattern']}")
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return Issue(key, "this value is out of its range", found, f"{words} {context[bound]}")
    return Issue(key, "this value is of the wrong type", found, _TYPE_NAMES.get(kind, details["msg"]))


def _keys_at(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """The keys allowed at `location` below `model`; list positions lead nowhere new."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X`, `X | None`, `tuple[X, ...]`, `Annotated[...]`, `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
