"""Issues of a table's slots: one mistake in a column is found in every row, and reported once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cenbench.matrix.validation import Issue, joint_key


@dataclass(frozen=True)
class SlotIssue(Issue):
    """An issue of one slot; `key` is its only or first key."""

    others: tuple[str, ...] = ()
    """Keys that cause it together with `key`, e.g. those of the row and of the column."""
    mistake: str = ""
    """Slots with the same text here have the same mistake."""


def merged(issues: Iterable[Issue]) -> list[Issue]:
    """One issue per mistake, in the order they were found, with the number of slots it affects if they are several.

    Issues that are equal are the same mistake, and so are `SlotIssue`s with the same `mistake`.
    """
    groups: dict[object, list[Issue]] = {}
    for issue in issues:
        groups.setdefault(issue.mistake if isinstance(issue, SlotIssue) else issue, []).append(issue)
    return [_merged(group) for group in groups.values()]


def _merged(group: Sequence[Issue]) -> Issue:
    first = group[0]
    slots = f" (in {len(group)} slots)" if len(group) > 1 else ""
    found = first.found if len(group) == 1 else _common_words([issue.found for issue in group])
    return Issue(_key_of(group), f"{first.problem}{slots}", found, first.expected, first.fix)


def _key_of(group: Sequence[Issue]) -> str:
    """The keys that all issues of the group have, with some of the others."""
    keys_of = [(issue.key, *(issue.others if isinstance(issue, SlotIssue) else ())) for issue in group]
    common = [key for key in keys_of[0] if all(key in keys for keys in keys_of)]
    rest = list(dict.fromkeys(" with ".join(key for key in keys if key not in common) for keys in keys_of))
    return " with ".join([*common, *([joint_key(rest)] if any(rest) else [])])


def _common_words(found: Sequence[object]) -> object:
    """What is found in all of the slots: of `fusion exchange, norms shared` the terms that are the same everywhere."""
    if any(not isinstance(value, str) for value in found):
        return found[0]
    words = [str(value).split(", ") for value in found]
    return ", ".join(word for word in words[0] if all(word in other for other in words)) or None
