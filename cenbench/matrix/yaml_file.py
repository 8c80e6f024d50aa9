"""Read a YAML file of `params/` strictly: anything ambiguous is an error that names the line or the key.

Scalars follow YAML 1.2, since YAML 1.1 surprises: there `2e-4` is a string, `010` is eight and `1:30` is ninety.
Refused: duplicate keys, tags, empty values, NaN and infinities, an alias inside an anchored value, and a file that is
too large once its aliases are replaced by what they repeat.
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cenbench.errors import UserError
from cenbench.matrix.key_lines import Location
from cenbench.matrix.validation import Issue, as_user_error, dotted_key, issues_from, short_repr
from cenbench.regular_file import Missing, not_utf8, read_regular

_Model = TypeVar("_Model", bound=BaseModel)
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE|yes|Yes|no|No", list("tTfFyYnN")),
    ("int", r"[-+]?(0|[1-9][0-9]{0,30})", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
)
_MAX_DEPTH = 16
_MAX_SIZE = 2_000_000
"""Keys, values and characters of a file with its aliases expanded; table 3, the largest, has about 6,000."""
_MOST_BYTES = 2**24
_FIX = "see the comments at the top of the file, or compare with the version in git: git diff params"


def _refused(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars above; refuses duplicate keys, tags, nested aliases, and too many of them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.anchored = 0
        """Number of anchored values around the current position."""
        self.size = 0
        """Keys, values and characters so far, with aliases expanded."""
        self.sizes: dict[str, int] = {}
        """Anchor -> size of its value."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it without types
        if getattr(event, "tag", None) is not None:
            raise _refused("tags (!) are not supported", event)
        if isinstance(event, yaml.AliasEvent):
            if self.anchored:
                raise _refused("an alias (*) inside an anchored value (&) is not supported", event)
            self._grow(self.sizes.get(str(event.anchor), 1), event)
            return super().compose_node(parent, index)
        before, inside = self.size, int(event.anchor is not None)
        self._grow(1 + len(getattr(event, "value", "")), event)
        self.anchored += inside
        node = super().compose_node(parent, index)
        self.anchored -= inside
        if inside:
            self.sizes[event.anchor] = self.size - before
        return node

    def _grow(self, by: int, event: Any) -> None:
        self.size += by
        if self.size > _MAX_SIZE:
            limit = f"{_MAX_SIZE:,} keys, values and characters"
            raise _refused(f"too large: over {limit} with its aliases expanded", event)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.tag.endswith(":str"):
                raise _refused(f"a key must be a string, not {short_repr(key.value)}", key)
            if key.value in seen:
                raise _refused(f"duplicate key {short_repr(key.value)}", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`, of plain Python values.

    Raises `UserError` for a file that is missing, unreadable, not UTF-8, not YAML, empty, or not a mapping, with line
    and column if known.
    """
    try:
        text = read_regular(path, _MOST_BYTES).decode("utf-8")
        tree = yaml.load(text, Loader=_Loader)
    except Missing as error:
        raise UserError("missing file", where=path, fix="restore it: git checkout -- params") from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error, fix=_FIX) from error
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, error) from error
    except yaml.reader.ReaderError as error:  # a control character, whose position is known
        problem = f"this file is not valid YAML; invisible character U+{error.character:04X}"
        line = 1 + text[: error.position].count("\n")
        raise UserError(problem, where=path, key=f"line {line}", fix="delete the character") from error
    except yaml.YAMLError as error:
        raise UserError("this file is not valid YAML", where=path, found=short_repr(str(error)), fix=_FIX) from error
    except RecursionError as error:
        raise UserError("this file is nested too deeply", where=path, fix=_FIX) from error
    if not isinstance(tree, dict):
        found = "an empty file" if tree is None else f"a {type(tree).__name__}: {short_repr(tree)}"
        raise UserError(
            "this file does not contain keys and values", where=path, found=found, expected="`key: value` lines"
        )
    issues = _unusable_values(tree, ())
    if issues:
        raise as_user_error(path, issues)
    return tree


def is_given(path: Path) -> bool:
    """Whether there is anything of that name, even a link that leads nowhere: reading it then reports that."""
    return os.path.lexists(path)


def load_model(path: Path, model: type[_Model]) -> _Model:
    """The file as a `model`, without type coercion ('8' is not a number). Raises one `UserError` for all issues."""
    tree = read_yaml(path)
    try:
        return model.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise as_user_error(path, issues_from(error, model, tree, _declared_names(path))) from None


def _declared_names(path: Path) -> list[str]:
    """Names of the tables and figures that are declared beside a file of `params/`, or of `params/presets/`."""
    folder = path.parents[1] if path.parent.name == "presets" else path.parent
    return sorted(file.stem for kind in ("table", "figure") for file in folder.glob(f"{kind}*.yaml"))


def _not_yaml(path: Path, error: yaml.MarkedYAMLError) -> UserError:
    """The parser's error with its line; with its context if the problem alone is half a sentence."""
    problem = error.problem or "something here cannot be parsed"
    if problem.startswith("but") and error.context:
        problem = f"{error.context}, {problem}"
    fix = _FIX
    if "'\\t'" in problem:
        problem, fix = "a tab where spaces are required", "indent with spaces, not tabs"
    mark = error.problem_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return UserError(f"this file is not valid YAML; {place}{problem}", where=path, fix=fix)


def _unusable_values(value: Any, location: Location) -> list[Issue]:
    """Empty values, NaN and infinities, and anything nested deeper than a declaration can be, with their keys."""
    if len(location) > _MAX_DEPTH:
        return [Issue(dotted_key(location[:3]), "this value is nested too deeply")]
    if isinstance(value, dict):
        return [issue for key, child in value.items() for issue in _unusable_values(child, (*location, key))]
    if isinstance(value, list):
        return [issue for index, child in enumerate(value) for issue in _unusable_values(child, (*location, index))]
    if value is None:
        return [Issue(dotted_key(location), "this key has no value", fix="set a value, or remove the line")]
    if isinstance(value, float) and not math.isfinite(value):
        return [Issue(dotted_key(location), "not a finite number", short_repr(value), "a finite number")]
    return []
