"""Lines of the keys of a YAML file, for error messages: a key is `rows[3].convs`, an editor wants line 23."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

Location = tuple[str | int, ...]
_MOST_KEYS = 1_000_000
_DEEPEST = 32
"""Keys beyond these get no line: aliases can repeat a few lines endlessly."""


def key_lines(path: Path) -> dict[Location, int]:
    """Location of each key and list element -> its line, counted from 1; empty for a file that is not YAML."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    lines: dict[Location, int] = {}
    for location, line in _walk(root):
        lines.setdefault(location, line)
        if len(lines) == _MOST_KEYS:
            break
    return lines


def _walk(root: yaml.Node | None) -> Iterator[tuple[Location, int]]:
    """Location and line of everything below `root`, outer before inner; aliases at the line of what they repeat."""
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
            yield (*location, part), marked.start_mark.line + 1
            pending.append(((*location, part), value))
