"""What is wrong with the keys of a selector, whatever cells it selects: each problem with its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cenbench.matrix.cell import Cell
from cenbench.matrix.claims import Selector
from cenbench.matrix.methods import methods
from cenbench.matrix.validation import Issue, short_repr, spelling_hint

_KINDS: Mapping[type, str] = {int: "a number", float: "a number", str: "a string", list: "a list"}
"""The types of values that never equal each other. A setting that is true, false or unset may have others too."""


def unknown_methods(selector: Selector, key: str) -> Iterator[Issue]:
    """Fusion methods that do not exist."""
    for name in selector.named().get("fusion", ()):
        if name not in methods():
            hint, known = spelling_hint(name, methods()), ", ".join(methods())
            yield Issue(f"{key}.fusion", "unknown fusion method", short_repr(name), known, hint)


def unknown_settings(selector: Selector, key: str, cells: Sequence[Cell]) -> Iterator[Issue]:
    """Dotted settings that no cell has, and strings for numbers and the like, which no cell can have."""
    if not selector.settings:
        return
    known = dict.fromkeys(name for cell in cells for name in cell.all_settings)
    named = selector.named()
    for name in selector.settings:
        if name not in known:
            hint = spelling_hint(name, known)
            allowed = ", ".join(name for name in known if "." in name)
            yield Issue(f"{key}.settings", "no cell has this setting", short_repr(name), allowed, hint)
            continue
        values = [cell.all_settings.get(name) for cell in cells]
        kinds = {_KINDS.get(type(value)) for value in values}
        only_flags = all(isinstance(value, bool) for value in values)
        for value in named[name]:
            if only_flags and not isinstance(value, bool):
                yield Issue(f"{key}.settings.{name}", "no cell has such a value", short_repr(value), "true or false")
                continue
            kind = _KINDS.get(type(value))
            if kind is not None and not kinds & {kind, None}:
                problem, expected = "no cell has such a value", ", ".join(sorted(map(str, kinds)))
                yield Issue(f"{key}.settings.{name}", problem, short_repr(value), expected)
