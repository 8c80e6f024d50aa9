"""Whatever the files of `params/` contain, loading them gives a plan or a `UserError`, and never another exception."""

from __future__ import annotations

import os
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cenbench.cli.pipeline import read_asked
from cenbench.errors import UserError
from cenbench.matrix.cost import plan_cost
from cenbench.matrix.plan import Plan, load_plan

PARAMS = Path(__file__).parents[1] / "params"
FILES = ("table7.yaml", "table8.yaml", "table9.yaml", "presets/demo.yaml")
NUMBERS = "paper/tables_reference.csv"

HOSTILE = (
    "../../x",
    "$(rm -rf .)",
    "`id`",
    "\x00",
    "a\nb",
    "{{ 1 }}",
    "<script>",
    "%s",
    "",
    "é" * 200,
    "none",
    "shared",
)
LEAVES = st.one_of(
    st.sampled_from(HOSTILE),
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 0, 2**63]),
    st.floats(),
    st.text(max_size=20),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "params"
    shutil.copytree(PARAMS, folder)
    return folder


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every node below the root."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path for key, child in children for path in ((*here, key), *places(child, (*here, key)))]


def mutate(tree: Any, data: st.DataObject) -> None:
    """Replace, remove, repeat or rename one node of the tree."""
    *above, key = data.draw(st.sampled_from(places(tree)))
    parent = tree
    for step in above:
        parent = parent[step]
    action = data.draw(st.sampled_from(["replace", "remove", "repeat", "rename"]))
    if action == "replace":
        parent[key] = data.draw(VALUES)
    elif action == "remove":
        del parent[key]
    elif isinstance(parent, list):
        parent.append(parent[key])
    elif action == "rename":
        parent[data.draw(st.sampled_from([f"{key}s", key[1:], *HOSTILE]))] = parent.pop(key)


def loads_or_explains(params: Path) -> None:
    try:
        plan = load_plan(params, "demo")
    except UserError as error:
        assert "pydantic" not in str(error)
        assert error.where is not None
        assert str(params) in str(error.where)
    else:
        assert isinstance(plan, Plan)
        assert plan_cost(plan).elapsed_s >= 0  # a plan that loads has a cost


EXAMPLES = int(os.environ.get("CENBENCH_EXAMPLES", "40"))
COMMON = settings(deadline=None, derandomize=True)  # the same examples everywhere: a failure is repeatable


@settings(COMMON, max_examples=EXAMPLES)
@given(data=st.data(), name=st.sampled_from(FILES), changes=st.integers(1, 3))
def test_changed_values_give_a_plan_or_a_user_error(params: Path, data: st.DataObject, name: str, changes: int) -> None:
    tree = yaml.safe_load((PARAMS / name).read_text())
    for _ in range(changes):
        mutate(tree, data)
    try:
        (params / name).write_text(yaml.safe_dump(tree, allow_unicode=True))
        loads_or_explains(params)
    finally:
        shutil.copy(PARAMS / name, params / name)


@settings(COMMON, max_examples=EXAMPLES)
@given(
    name=st.sampled_from((*FILES, NUMBERS)),
    where=st.floats(0, 1),
    cut=st.integers(0, 30),
    junk=st.one_of(
        st.text(max_size=6), st.sampled_from(["\t", ": ", "- ", "&a ", "*a", "!!int ", "[", "{", "#", "\x00", ","])
    ),
)
def test_damaged_text_gives_a_plan_or_a_user_error(params: Path, name: str, where: float, cut: int, junk: str) -> None:
    text = (PARAMS / name).read_text()
    start = int(where * len(text))
    try:
        (params / name).write_bytes((text[:start] + junk + text[start + cut :]).encode("utf-8", "surrogatepass"))
        loads_or_explains(params)
    finally:
        shutil.copy(PARAMS / name, params / name)


@settings(COMMON, max_examples=EXAMPLES)
@given(content=st.binary(max_size=40), name=st.sampled_from((*FILES, NUMBERS)))
def test_any_bytes_give_a_user_error(params: Path, content: bytes, name: str) -> None:
    try:
        (params / name).write_bytes(content)
        with pytest.raises(UserError):
            load_plan(params, "demo")
    finally:
        shutil.copy(PARAMS / name, params / name)


@given(name=st.text(max_size=30).filter(lambda name: name not in ("demo", "study", "paper")))
@settings(COMMON, max_examples=EXAMPLES)
def test_any_other_preset_name_is_a_user_error(name: str) -> None:
    with pytest.raises(UserError, match="unknown preset"):
        load_plan(PARAMS, name)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in pairwise("abcdefghij")
)
EXTREME = {
    "empty": b"",
    "a byte order mark": b"\xef\xbb\xbf" + b"name: demo\n",
    "UTF-16": "name: demo\n".encode("utf-16"),
    "Latin-1": "name: d\xe9mo\n".encode("latin-1"),
    "a billion laughs": LAUGHS.encode(),
    "deep nesting": b"a: " + b"[\n" * 3000 + b"]\n" * 3000,
    "deeper nesting": b"[" * 200_000,
    "deep keys": b"".join(b" " * depth + b"a:\n" for depth in range(400)),
    "a huge number": b"number: 1" + b"0" * 5000,
    "a huge float": b"number: 1e999999",
    "not a number": b"number: .nan",
    "an alias of itself": b"a: &a [*a]",
    "an object": b"!!python/object/apply:os.system ['touch pwned']",
    "many documents": b"a: 1\n---\nb: 2\n",
    "a merge": b"a: &a {x: 1}\nb: {<<: *a}\n",
    "only comments": b"# nothing\n",
    "NUL": b"\x00" * 1000,
    "a long line": b"title: " + b"x" * 2_000_000,
}


@pytest.mark.parametrize("content", EXTREME.values(), ids=EXTREME.keys())
@pytest.mark.parametrize("name", ["presets/demo.yaml", "table7.yaml", NUMBERS, "pipeline.yaml"])
def test_extreme_files_are_a_user_error(params: Path, content: bytes, name: str) -> None:
    try:
        (params / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_asked(params.parent)
        assert len(str(caught.value)) < 3000, "the message is short enough to read"
        assert not Path("pwned").exists()
    finally:
        shutil.copy(PARAMS / name, params / name)


@pytest.mark.parametrize("name", ["presets/demo.yaml", "table7.yaml", NUMBERS, "pipeline.yaml"])
@pytest.mark.parametrize("place", ["a folder", "a broken link", "a link to itself", "a device", "nothing"])
def test_what_is_not_a_readable_file_is_a_user_error(params: Path, name: str, place: str) -> None:
    path = params / name
    path.unlink()
    try:
        if place == "a folder":
            path.mkdir()
        elif place != "nothing":
            path.symlink_to({"a broken link": "nowhere", "a link to itself": path.name, "a device": "/dev/null"}[place])
        with pytest.raises(UserError) as caught:
            read_asked(params.parent)
        assert (
            path.name in str(caught.value)
            or "unknown preset" in str(caught.value)
            or "unknown table" in str(caught.value)
        )
    finally:
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        shutil.copy(PARAMS / name, path)


@settings(COMMON, max_examples=EXAMPLES)
@given(data=st.data())
def test_pipeline_gives_a_plan_or_a_user_error(params: Path, data: st.DataObject) -> None:
    keys = st.sampled_from(["preset", "tables", "tabels"])
    tree = data.draw(st.dictionaries(keys, st.one_of(VALUES, st.sampled_from(["demo", "all", "table7"])), max_size=3))
    tree |= {"pages": ["table7"], "figures": []}
    try:
        (params / "pipeline.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True))
        try:
            asked = read_asked(params.parent)
        except UserError as error:
            assert error.where is not None
        else:
            assert set(asked.tables) <= set(asked.every_table)
    finally:
        shutil.copy(PARAMS / "pipeline.yaml", params / "pipeline.yaml")
