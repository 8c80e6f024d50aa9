"""Lines of the keys of a YAML file, for error messages: a key is `rows[3].convs`, an editor wants line 23."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

Location = tuple[str | int, ...]
_MOST_KEYS = 1_000_000
_DEEPEST = 32
"""Keys beyond these get no line: aliases can repeat a few lines endlessly."""


class Place(NamedTuple):
    """Where a key or list element stands in a file."""

    line: int
    """Counted from 1; of an element that an alias repeats, that of what is repeated."""
    value: int
    """Position of its value in characters: keys with an alias of one value have it in common."""


def key_places(path: Path) -> dict[Location, Place]:
    """Location of each key and list element -> its place; empty for a file that is not YAML."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    places: dict[Location, Place] = {}
    for location, place in _walk(root):
        places.setdefault(location, place)
        if len(places) == _MOST_KEYS:
            break
    return places


def _walk(root: yaml.Node | None) -> Iterator[tuple[Location, Place]]:
    """Location and place of everything below `root`, outer before inner; aliases at the line of what they repeat."""
    pending: list[tuple[Location, yaml.Node | None]] = [((), root)]
    while pending:
        location, node = pending.pop()
        if len(location) == _DEEPEST:
            continue
        children: list[tuple[str | int, yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            children = [(str(key.value), key, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            children = [(index, value, value) for index, value in enumerate(node.value)]
        for part, marked, value in children:
            yield (*location, part), Place(marked.start_mark.line + 1, value.start_mark.index)
            pending.append(((*location, part), value))
