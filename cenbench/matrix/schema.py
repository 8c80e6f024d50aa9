"""JSON schemas of `params/`, generated from the models, for completion and validation in editors.

`python -m cenbench.matrix.schema` writes them to params/schema/; a test fails if the committed ones are out of date.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cenbench.files import write_json
from cenbench.matrix.claims import ClaimsSpec
from cenbench.matrix.figure import FigureSpec
from cenbench.matrix.preset import Preset, Segmentation, Translation
from cenbench.matrix.robustness import RobustnessSpec
from cenbench.matrix.table import TableSpec
from cenbench.matrix.verdict_rules import VerdictRules

_REFERENCE = "#/$defs/"


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> schema."""
    return {
        "claims.json": _without_null(ClaimsSpec.model_json_schema()),
        "figure.json": _without_null(_schema_with_overrides(FigureSpec)),
        "preset.json": _without_null(Preset.model_json_schema()),
        "robustness.json": _without_null(RobustnessSpec.model_json_schema()),
        "table.json": _without_null(_schema_with_overrides(TableSpec)),
        "verdicts.json": _without_null(VerdictRules.model_json_schema()),
    }


def write_schemas(folder: Path) -> None:
    """Write every schema into `folder`."""
    for name, schema in schemas().items():
        write_json(folder / name, schema)


def _schema_with_overrides(declaration: type[BaseModel]) -> dict[str, Any]:
    """The model's schema, with the keys of each `override` spelled out: those of the preset's part, none required."""
    models: list[type[BaseModel]] = [declaration, Segmentation, Translation]
    _, joint = models_json_schema([(model, "validation") for model in models])
    definitions = joint["$defs"]
    for part, schema in definitions["Override"]["properties"].items():
        if part != "fusion":  # its keys are declared by the methods' files: a new one needs no new schema
            schema |= {"properties": _keys_of(part, definitions), "additionalProperties": False}
    schema = definitions.pop(declaration.__name__)
    return {**schema, "$defs": {name: definitions[name] for name in sorted(_reached(schema, definitions))}}


def _without_null(schema: Any) -> Any:
    """`schema` without null as an alternative, since `read_yaml` refuses empty values everywhere."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if (key, value) != ("default", None)}
    alternatives = [alternative for alternative in kept.get("anyOf", []) if alternative != {"type": "null"}]
    if len(alternatives) == 1:
        del kept["anyOf"]
        return alternatives[0] | kept
    return kept


def _keys_of(part: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The keys of this part of a preset for both task kinds; both schemas where the two differ."""
    keys: dict[str, Any] = {}
    for kind in (Segmentation, Translation):
        model = kind.model_fields[part].annotation
        assert model is not None
        for key, schema in definitions[model.__name__]["properties"].items():
            known = keys.setdefault(key, schema)
            if known != schema:
                keys[key] = {"anyOf": [known, schema]}
    return keys


def _reached(schema: Any, definitions: dict[str, Any]) -> set[str]:
    """Names of the definitions that `schema` refers to, directly or indirectly."""
    reached: set[str] = set()
    pending = [schema]
    while pending:
        current = pending.pop()
        if isinstance(current, list):
            pending += current
        elif isinstance(current, dict):
            pending += current.values()
            name = str(current.get("$ref", "")).removeprefix(_REFERENCE)
            if name and name not in reached:
                reached.add(name)
                pending.append(definitions[name])
    return reached


if __name__ == "__main__":
    write_schemas(Path("params/schema"))
