"""Whatever bytes lie in a JSON file, reading it gives a value that can be written again, or a UserError naming it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusing_files import closed

from cenbench import strict_json
from cenbench.errors import UserError
from cenbench.files import canonical_json, digest, read_json, read_json_object, read_sealed, write_json, write_sealed
from cenbench.strict_json import DEEPEST, parse

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(SCALARS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)
BAD = {
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "minus infinity": b"-Infinity",
    "overflow": b'{"a": 1e999}',
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "4,000 digits, which int() would take": b"[" + b"1" * 4000 + b"]",
    "lone surrogate": b'{"a": "\\ud800"}',
    "lone surrogate in a key": b'{"\\udfff": 1}',
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "just too deep": b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
    "duplicate key": b'{"a": 1, "a": 2}',
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "not UTF-8": b'{"a": "\xff"}',
    "empty": b"",
    "cut short": b'{"a": [1, 2',
    "two values": b"{} {}",
    "comment": b'{"a": 1} // no',
    "zero bytes": b"\0" * 100,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_strict_json_is_a_user_error_naming_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_bytes(BAD[name])
    for read in (read_json, read_json_object, read_sealed):
        with pytest.raises(UserError, match="not valid JSON") as caught:
            read(path)
        assert caught.value.where == path
        assert len(str(caught.value)) < 1000, "the message does not repeat the file"


def test_a_duplicate_key_is_found_in_one_pass() -> None:
    """Every key is compared with the others by its hash alone: counted, not timed."""
    compared = 0

    class Key(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    keys = [Key(number) for number in range(1000)]
    with pytest.raises(ValueError, match="duplicate key '999'"):
        strict_json._without_duplicates([(key, None) for key in (*keys, Key("999"))])
    assert compared < 10_000


def test_brackets_inside_of_strings_are_not_depth() -> None:
    assert parse(json.dumps(["[" * 1000 + '"\\' + "{" * 1000])) == ["[" * 1000 + '"\\' + "{" * 1000]
    assert parse("[" * DEEPEST + "]" * DEEPEST)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_is_written_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, value)
    assert read_json(path) == json.loads(path.read_text(encoding="utf-8"))
    assert digest(read_json(path)) == digest(json.loads(canonical_json(value)))


@settings(max_examples=500, deadline=None)
@given(
    st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()),
    st.integers(0, 10**6),
    st.binary(max_size=3),
)
def test_any_bytes_give_a_value_or_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, place: int, patch: bytes
) -> None:
    """Random bytes, and valid documents with some bytes overwritten."""
    place %= len(data) + 1
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_bytes(data[:place] + patch + data[place + len(patch) :])
    try:
        value = read_json(path)
    except UserError as error:
        assert error.where == path
    else:
        assert parse(canonical_json(value)) == value, "it can be written again"
    try:
        assert isinstance(read_sealed(path), dict)
    except UserError as error:
        assert error.where == path


def test_what_is_not_a_regular_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    for name, said in (
        ("folder.json", "a directory"),
        ("pipe.json", "a pipe"),
        ("loop.json", "cannot be accessed"),
        ("absent.json", "missing"),
        ("folder.json/inside", "cannot be accessed|missing"),
        ("x" * 300, "cannot be accessed"),
    ):
        with pytest.raises(UserError, match=said):
            read_json(tmp_path / name)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not called damaged: nothing is known of its content. (Root may read anything, so the refusal is played.)"""
    path = tmp_path / "a.json"
    path.write_text("{}")
    with (
        closed(path, monkeypatch),
        pytest.raises(UserError, match=r"a\.json cannot be accessed: Permission denied"),
    ):
        read_json(path)


def test_an_object_is_asked_for_and_a_list_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, [1])
    for read in (read_json_object, read_sealed):
        with pytest.raises(UserError, match="does not hold an object"):
            read(path)


def test_a_sealed_file_notices_every_changed_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_sealed(path, {"a": 1, "b": [1.5, "x"]})
    assert read_sealed(path) == {"a": 1, "b": [1.5, "x"]}
    good = path.read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(UserError):
            read_sealed(path)
