"""Whatever lies in a small file that this program wrote for itself, its reader gives nothing and raises nothing.

Locks, claims, notes and caches: tests/test_records_fuzz.py does the same with everything that `status` and the tables
read.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import make_root, publish
from test_records_fuzz import KINDS, VALUES

from cenbench.errors import UserError
from cenbench.files import digest, read_json_object, write_json
from cenbench.matrix.claim_pairs import plan_claims
from cenbench.process import this_process
from cenbench.records.code_cache import CodeCache
from cenbench.records.read import read_record
from cenbench.records.registration import FORMAT, claim_digests, declared
from cenbench.report.render_json import render_json
from cenbench.report.rendered import table_damage
from cenbench.report.table import build_table
from cenbench.run.heartbeat import Beat, read_beat
from cenbench.run.lock import _process, _read, cell_lock
from cenbench.schedule.controller_lock import Claim, _text, controller_elsewhere
from cenbench.train.trained import found_import

BEAT = Beat("a", "training", "elsewhere", "elsewhere", 1, None, 0.0, 0.0, 0.0, 1, 8, 2.0, 3.5)
IDENTITY = {"training_id": "a"}
SHA256 = {"weights.safetensors": "0" * 64, "history.csv": "0" * 64}


@dataclass(frozen=True, repr=False)
class Reader:
    """A file, and what reads it: None for a file that is not one."""

    path: Path
    read: Callable[[], object]


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """A whole file of each kind; every reader reads it."""
    root = tmp_path_factory.mktemp("readers")
    plan, paths = make_root(root / "checkout")
    planned = plan_claims(paths.params, plan)
    claim, cache = root / ".snakemake" / "controller.json", CodeCache(root, "digests", "now")
    registration = paths.registration("demo")
    write_json(registration, {"format": FORMAT, "preset": "demo", "claims": claim_digests(plan, planned)})
    cell = next(iter(plan.cells.values()))
    publish(paths, cell)

    def before_the_run() -> object:
        return set(declared(paths, plan, planned).values()) == {"before the run"} or None

    write_json(root / "beat" / "heartbeat.json", asdict(BEAT))
    claim.parent.mkdir()
    claim.write_text(_text(Claim(this_process(), "now")))
    cache.write({"a": "b"})
    imported = {"identity": IDENTITY, "steps": 8, "sha256": SHA256, "imported": {"file": "a", "sha256": "b"}}
    write_json(root / "training" / "finished.json", imported)
    with cell_lock(root / "lock") as lock:
        pass
    found = {
        "heartbeat": Reader(root / "beat" / "heartbeat.json", lambda: read_beat(root / "beat")),
        "claim": Reader(claim, lambda: controller_elsewhere(root)),
        "lock": Reader(lock.path, lambda: _process(_read(lock.path))),
        "registration": Reader(registration, before_the_run),
        "code cache": Reader(cache._file, lambda: cache.read() or None),
        "training note": Reader(root / "training" / "finished.json", lambda: found_import(root / "training")),
    }
    assert all(reader.read() is not None for reader in found.values())
    return found


NAMES = ("heartbeat", "claim", "lock", "registration", "code cache", "training note")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_such_file_is_none(readers: dict[str, Reader], name: str) -> None:
    path, good = readers[name].path, readers[name].path.read_bytes()
    for content in KINDS.values():
        path.write_bytes(content)
        assert readers[name].read() is None
    path.unlink()
    for make in (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path.name)):
        make()
        assert readers[name].read() is None
        path.rmdir() if path.is_dir() else path.unlink()
    assert readers[name].read() is None
    path.write_bytes(good)
    assert readers[name].read() is not None


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_changed_value_raises(readers: dict[str, Reader], name: str, data: st.DataObject) -> None:
    path, good = readers[name].path, readers[name].path.read_bytes()
    document = json.loads(good)
    document[data.draw(st.sampled_from(sorted(document)))] = data.draw(VALUES)
    write_json(path, document)
    try:
        readers[name].read()
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("heartbeat", "pid", "7"),
        ("heartbeat", "updated", "0"),
        ("claim", "since", 7),
        ("heartbeat", "pid", -1),
        ("claim", "process", {"host": socket.gethostname(), "pid": -1, "start": None}),
        ("lock", "pid", "7"),
        ("lock", "pid", -1),
        ("lock", "pid", 0),
        ("registration", "preset", "study"),
        ("code cache", "found", {"a": "c"}),
        ("training note", "steps", "8"),
    ],
)
def test_a_value_of_another_type_or_range_is_refused(
    readers: dict[str, Reader], name: str, key: str, value: object
) -> None:
    """A lax reader would take text for a number: 7 for "7"; psutil raises for a negative pid.

    A registration is bound to its preset, a cache sealed.
    """
    path, good = readers[name].path, readers[name].path.read_bytes()
    write_json(path, {**json.loads(good), key: value})
    assert readers[name].read() is None
    path.write_bytes(good)


def test_a_sealed_training_note_of_which_any_byte_changed_does_not_count(tmp_path: Path) -> None:
    note = {"identity": IDENTITY, "steps": 8, "sha256": SHA256, "imported": {"file": "a", "sha256": "b"}}
    path = tmp_path / "finished.json"
    write_json(path, {**note, "seal": digest(note)})
    whole = path.read_bytes()
    source = found_import(tmp_path)
    assert source is not None
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert found_import(tmp_path) is None or read_json_object(path) == json.loads(whole)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table7.json"
    assert table_damage(path) is None, "not rendered yet"
    for content in KINDS.values():
        path.write_bytes(content)
        assert table_damage(path)


def test_a_table_of_another_name_or_preset_is_named(tmp_path: Path) -> None:
    """Snakemake would leave a newer copy as it is."""
    plan, paths = make_root(tmp_path, tiny=True)
    folder = tmp_path / "reports" / "demo"
    records = {cell.id: read_record(paths, cell) for cell in plan.cells.values()}
    write_json(folder / "table7.json", render_json(build_table("demo", plan.table("table7"), records)))
    assert table_damage(folder / "table7.json") is None
    for copied in ("demo/table8.json", "study/table7.json"):
        path = tmp_path / "reports" / copied
        path.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "table7.json", path)
        assert table_damage(path) == "it holds 'table7' of preset 'demo'"


def test_a_lock_that_holds_anything_is_taken(tmp_path: Path) -> None:
    for content in KINDS.values():
        (tmp_path / "lock").write_bytes(content)
        with cell_lock(tmp_path) as lock:
            assert lock.is_held()
            (tmp_path / "lock").write_bytes(content)
            assert not lock.is_held()
            with pytest.raises(UserError):
                lock.check()
