"""What the sources say is remembered by content: parsed once, again after any edit, and never wrong for being quick."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from cenbench.records.sources import Source, Sources


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two modules; `alpha` imports from `beta`."""
    (tmp_path / "cenbench").mkdir()
    (tmp_path / "cenbench" / "__init__.py").write_text("")
    (tmp_path / "cenbench" / "alpha.py").write_text('"""Words."""\nfrom cenbench.beta import ONE\n\nTWO = ONE + 1\n')
    (tmp_path / "cenbench" / "beta.py").write_text("ONE = 1\n")
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is parsed from here on."""
    seen: list[bytes] = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda source: seen.append(source) or parse(source))
    return seen


def read(package: Path) -> dict[str, Source]:
    """Both modules, as a process of its own would read them."""
    sources = Sources(package)
    found = {name: sources[name] for name in ("cenbench.alpha", "cenbench.beta")}
    sources.remember()
    return found


def remembered(package: Path) -> Path:
    (file,) = (package / "cenbench").glob("**/*.json")
    return file


def test_the_next_process_parses_nothing(package: Path, parsed: list[bytes]) -> None:
    first = read(package)
    assert len(parsed) == 2
    assert read(package) == first
    assert len(parsed) == 2
    assert first["cenbench.alpha"].imports == ("cenbench.beta.ONE",)


def test_an_edit_of_the_same_size_and_time_is_seen(package: Path, parsed: list[bytes]) -> None:
    before, path = read(package), package / "cenbench" / "beta.py"
    status = path.stat()
    path.write_text("ONE = 7\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = read(package)
    assert after["cenbench.beta"].code != before["cenbench.beta"].code
    assert after["cenbench.alpha"] == before["cenbench.alpha"]
    assert len(parsed) == 3, "only what was edited"


def test_a_touched_file_is_not_parsed(package: Path, parsed: list[bytes]) -> None:
    read(package)
    os.utime(package / "cenbench" / "beta.py")
    read(package)
    assert len(parsed) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"made_by": "MAKER"}', '{"made_by": "MAKER", "sources": {"a": 2}}'])
def test_a_damaged_memory_is_made_again(package: Path, parsed: list[bytes], damage: str) -> None:
    before = read(package)
    maker = json.loads(remembered(package).read_text())["made_by"]
    remembered(package).write_text(damage.replace("MAKER", maker))
    assert read(package) == before
    assert len(parsed) == 4
    assert len(json.loads(remembered(package).read_text())["sources"]) == 2


def test_what_other_code_wrote_down_is_not_believed(package: Path, parsed: list[bytes]) -> None:
    """Else a change of what counts as code would change nothing."""
    before = read(package)
    document = json.loads(remembered(package).read_text())
    document["made_by"] = "another parser"
    document["sources"] = {key: ["wrong", []] for key in document["sources"]}
    remembered(package).write_text(json.dumps(document))
    assert read(package) == before


def test_where_nothing_can_be_written_the_answer_is_the_same(package: Path, parsed: list[bytes]) -> None:
    (package / "cenbench" / "__pycache__").write_text("a file where the folder should be")
    assert read(package) == read(package)
    assert len(parsed) == 4
