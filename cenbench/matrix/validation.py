"""From the issues found in a file of `params/` to one error message; several issues are reported together."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cenbench.errors import UserError
from cenbench.matrix.key_lines import Location, Place, key_places
from cenbench.visible import is_hidden

MISSING, INVALID = "missing key", "invalid value"
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
_PATTERNS = {
    r"^[a-z0-9][a-z0-9_.-]*$": "a name in lower case: letters a-z, digits, and _ . - after the first",
    r"^table([1-9][0-9]?|(-[a-z0-9]+)+)$": "table7 for one of the paper, or table-NAME in lower case for any other",
    r"^figure([1-9][0-9]?|(-[a-z0-9]+)+)$": "figure5 for one of the paper, or figure-NAME in lower case for any other",
    r"^[A-Z]{3}$": "a currency's code of three capital letters, such as USD",
}
"""Pattern of a string in `params/` -> what it allows, in words."""


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
    distinct = _told_once(issues, {dotted_key(location): place for location, place in key_places(path).items()})
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


def _told_once(issues: Iterable[Issue], places: Mapping[str, Place]) -> list[Issue]:
    """The issues, each key with its line; one mistake that aliases (*) repeat is one issue, at its anchor (&)."""
    groups: dict[tuple[object, ...], list[Issue]] = {}
    for issue in dict.fromkeys(issues):
        around = _around(issue.key, places)
        # The rest of the key, since two keys may be missing from one mapping.
        where = (places[around].value, issue.key[len(around) :]) if around else (issue.key,)
        fix = None if issue.problem == MISSING else issue.fix
        groups.setdefault((issue.problem, str(issue.found), str(issue.expected), fix, *where), []).append(issue)
    told = []
    for first, *others in groups.values():
        count = f" (in {1 + len(others)} places)" if others else ""
        told.append(replace(first, key=_with_lines(first.key, places), problem=f"{first.problem}{count}"))
    return told


def _with_lines(key: str, places: Mapping[str, Place]) -> str:
    """The key, or each key of several, with its line: `rows[3].convs (line 23)`."""
    return "".join(_with_line(part, places) for part in re.split(_BETWEEN_KEYS, key))


def _with_line(key: str, places: Mapping[str, Place]) -> str:
    """The key with its own line, or with that of the innermost key around it that the file has."""
    around = _around(key, places)
    return f"{key} (line {places[around].line})" if around else key


def _around(key: str, places: Mapping[str, Place]) -> str:
    """The key itself, or the innermost one around it that the file has; empty if there is none."""
    while key and key not in places:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return key


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


def unknown_entries(
    key: str, names: Sequence[str], known: Sequence[str], problem: str, if_none: str
) -> Iterator[Issue]:
    """An issue for each entry of the list `key` that is none of the `known` names; `if_none` as in `unknown_name`."""
    for place, name in enumerate(names):
        if name not in known:
            expected = ", ".join(known) or if_none
            yield Issue(f"{key}[{place}]", problem, short_repr(name), expected, spelling_hint(name, known))


def unknown_name(problem: str, name: str, known: Sequence[str], where: Path, if_none: str) -> UserError:
    """The error for a name that is none of the `known` ones; `if_none` states what is expected where there are none."""
    expected, hint = ", ".join(known) or if_none, spelling_hint(name, known)
    return UserError(f"{problem} {short_repr(name)}", where=where, expected=expected, fix=hint)


def issues_from(
    error: ValidationError, model: type[BaseModel], tree: Mapping[str, Any], names: Sequence[str] = ()
) -> list[Issue]:
    """Pydantic's errors on the file that contains `tree`, read as `model`, reworded.

    Entries that are wrong make no list too short. `names` are those that a misspelt table or figure may stand for.
    """
    found = error.errors(include_url=False)
    around = {details["loc"][:depth] for details in found for depth in range(len(details["loc"]))}
    kept = [details for details in found if details["type"] != "too_short" or details["loc"] not in around]
    return _joined(issue_from(details, model, names=names) for details in _fitting(kept, tree))


def _fitting(found: Sequence[ErrorDetails], tree: Mapping[str, Any]) -> list[ErrorDetails]:
    """The errors with locations in the file; of a union, those of the alternatives that may be meant.

    Pydantic's locations also name the alternatives of a union and the keys of a mapping ("[key]"). Where a value may be
    a list or not, the one that it is was meant.
    """
    unions: dict[Location, list[tuple[bool, ErrorDetails]]] = {}
    for details in found:
        location: list[str | int] = []
        union: Location | None = None
        value: Any = tree
        fits = True
        for depth, part in enumerate(details["loc"], start=1):
            inside = isinstance(value, dict) and part in value
            inside |= isinstance(value, list) and isinstance(part, int) and part < len(value)
            if inside or (depth == len(details["loc"]) and details["type"] == "missing"):
                location.append(part)
                value = value[part] if inside else None
            elif part != "[key]":
                union = tuple(location) if union is None else union
                fits &= str(part).startswith(("tuple[", "list[")) == isinstance(value, list)
        plain = ErrorDetails(**{**details, "loc": tuple(location)})
        unions.setdefault(tuple(location) if union is None else union, []).append((fits, plain))
    return [
        details
        for alternatives in unions.values()
        for fits, details in alternatives
        if fits or not any(other for other, _ in alternatives)
    ]


def _joined(issues: Iterable[Issue]) -> list[Issue]:
    """The issues; those of several lists of words that one value might be from become one, with all the words."""
    joined: dict[object, Issue] = {}
    for place, issue in enumerate(issues):
        same: object = (issue.key, str(issue.found)) if issue.problem == INVALID else place
        if same in joined:
            before = joined[same]
            words = dict.fromkeys(f"{before.expected}, {issue.expected}".split(", "))
            issue = replace(issue, expected=", ".join(words), fix=before.fix or issue.fix)
        joined[same] = issue
    return list(joined.values())


def first_issue(error: ValidationError) -> Issue:
    """The first of pydantic's errors on a file that this program writes: its key, and what is wrong in a few words."""
    first = error.errors(include_url=False, include_input=False)[0]
    return Issue(dotted_key(first["loc"]), first["msg"])


def issue_from(
    details: ErrorDetails, model: type[BaseModel], prefix: Location = (), names: Sequence[str] = ()
) -> Issue:
    """One of pydantic's errors, reworded; `prefix` is the location of `model` in the file, `names` as above."""
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
        return Issue(key, MISSING, fix=f"add `{location[-1]}:` to {place}")
    if kind == "literal_error":
        allowed_words = (word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", "))
        allowed = [{"True": "true", "False": "false"}.get(word, word) for word in allowed_words]
        hint = spelling_hint(details["input"], allowed)
        if details["input"] in allowed:  # the value that is meant is no text, such as `false`
            hint = f"write it without quotes: {details['input']}"
        return Issue(key, INVALID, found, ", ".join(allowed), hint)
    if kind == "value_error" and isinstance(details["input"], dict):
        problem = str(context["error"])
        return Issue(dotted_key((*prefix, *location, *_named_in(problem, details["input"]))), problem)
    if kind == "value_error":
        return Issue(key, str(context["error"]), found)
    if kind == "string_pattern_mismatch":
        return _not_of_pattern(key, str(details["input"]), context["pattern"], names)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return Issue(key, "value out of range", found, f"{words} {context[bound]}")
    if kind.startswith("date_"):
        return Issue(key, "invalid date", found, "a day as YEAR-MONTH-DAY, such as 2026-01-31")
    return Issue(key, "wrong type", found, _TYPE_NAMES.get(kind, details["msg"]))


def hidden_problem(text: str) -> str | None:
    """What is wrong with a text that has an invisible character; None if it has none."""
    hidden = next((letter for letter in text if is_hidden(letter)), None)
    return None if hidden is None else f"invisible character U+{ord(hidden):04X}"


def _not_of_pattern(key: str, text: str, pattern: str, names: Sequence[str]) -> Issue:
    """A string of the wrong form: its invisible character, or what is allowed and the name that is probably meant."""
    found = short_repr(text)
    if (hidden := hidden_problem(text)) is not None:
        return Issue(key, hidden, found, fix="delete the character; it may have come with copied text")
    spelt = (text.lower(), text.upper(), re.sub(r"[^a-z0-9_.-]+", "-", text.lower()))
    allowed = [name for name in (*names, *spelt) if re.search(pattern, name)]
    hint = spelling_hint(text, allowed) or spelling_hint(text.lower(), allowed)
    if hint is None and text.upper() in allowed:
        hint = f"did you mean {text.upper()!r}?"
    return Issue(key, "invalid string", found, _PATTERNS.get(pattern, "another form of text"), hint)


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
