"""The committed JSON schemas match the models, and the files of `params/` satisfy them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from cenbench.matrix.schema import schemas
from cenbench.matrix.yaml_file import read_yaml

PARAMS = Path(__file__).parents[1] / "params"
OTHERS = ("claims", "verdicts")
FILES = [
    *sorted(PARAMS.glob("table*.yaml")),
    *sorted((PARAMS / "presets").glob("*.yaml")),
    *(PARAMS / f"{name}.yaml" for name in OTHERS),
]


def schema_of(file: Path) -> dict[str, Any]:
    if file.stem in OTHERS:
        return schemas()[f"{file.stem}.json"]
    return schemas()["preset.json" if file.parent.name == "presets" else "table.json"]


def test_the_committed_schemas_are_up_to_date() -> None:
    """If this fails, run python -m cenbench.matrix.schema and commit the result."""
    committed = {path.name: json.loads(path.read_text()) for path in (PARAMS / "schema").glob("*.json")}
    assert committed == schemas()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_satisfies_its_schema_and_names_it(file: Path) -> None:
    schema = schema_of(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(read_yaml(file), schema)
    first = file.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((file.parent / named).read_text()) == schema


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("table7.yaml", ("rows", 3, "convs"), "shard"),
        ("table7.yaml", ("rows", 3, "override"), {"protocol": {"thta": 0.1}}),
        ("table7.yaml", ("rows", 3, "override"), {"protocol": {"theta": -0.1}}),
        ("table7.yaml", ("rows", 3, "l1"), None),
        ("presets/demo.yaml", ("segmentation", "network", "depth"), 19),
        ("presets/demo.yaml", ("seeds",), []),
    ],
)
def test_the_schema_refuses_what_the_models_refuse(file: str, path: tuple[Any, ...], value: object) -> None:
    tree = read_yaml(PARAMS / file)
    place: Any = tree
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tree, schema_of(PARAMS / file))


def test_the_schema_explains_its_keys() -> None:
    spec = schemas()["preset.json"]["$defs"]["SegmentationProtocol"]["properties"]
    assert "threshold" in spec["theta"]["description"]
