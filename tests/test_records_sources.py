"""What was worked out from sources is kept by content: parsed once, again after an edit, not believed when damaged."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from cenbench.records.fingerprint import PackageCode


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two modules; `alpha` imports from `beta`."""
    (tmp_path / "cenbench").mkdir()
    (tmp_path / "cenbench" / "__init__.py").write_text("")
    (tmp_path / "cenbench" / "alpha.py").write_text("from cenbench.beta import one\ndef two():\n    return one() + 1\n")
    (tmp_path / "cenbench" / "beta.py").write_text("def one():\n    return 1\n")
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The modules that are parsed from here on."""
    seen: list[bytes] = []
    parse = ast.parse

    def see(source: str | bytes, **options: str) -> ast.AST:
        if isinstance(source, bytes):
            seen.append(source)
        return parse(source, **options)

    monkeypatch.setattr(ast, "parse", see)
    return seen


def digest(package: Path, entry: str = "cenbench.alpha.two") -> str:
    """As a process of its own would work it out."""
    return PackageCode(package).digest((entry,), {})


def kept(package: Path, name: str) -> Path:
    [file] = (package / "cenbench").glob(f"**/{name}.*.json")
    return file


def test_the_next_process_parses_nothing(package: Path, parsed: list[bytes]) -> None:
    first = digest(package)
    assert len(parsed) == 3
    assert digest(package) == first
    assert len(parsed) == 3


def test_another_digest_of_the_same_sources_parses_nothing(package: Path, parsed: list[bytes]) -> None:
    first = digest(package)
    assert digest(package, "cenbench.beta.one") != first
    assert len(parsed) == 3
    assert len(json.loads(kept(package, "digests").read_text())["found"]) == 2


def test_an_edit_of_the_same_size_and_time_is_seen(package: Path, parsed: list[bytes]) -> None:
    before, path = digest(package), package / "cenbench" / "beta.py"
    status = path.stat()
    path.write_text("def one():\n    return 7\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest(package) != before
    assert len(parsed) == 4, "only what was edited"


def test_a_touched_file_is_not_parsed(package: Path, parsed: list[bytes]) -> None:
    digest(package)
    os.utime(package / "cenbench" / "beta.py")
    digest(package)
    assert len(parsed) == 3


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"valid_for": "STATE"}',
        '{"valid_for": "STATE", "found": 2}',
        '{"valid_for": "STATE", "found": {"KEY": [2]}}',
    ],
)
def test_a_damaged_cache_is_made_again(package: Path, parsed: list[bytes], damage: str) -> None:
    before = digest(package)
    kept(package, "digests").unlink()
    document = json.loads(kept(package, "sources").read_text())
    text = damage.replace("STATE", document["valid_for"]).replace("KEY", next(iter(document["found"])))
    kept(package, "sources").write_text(text)
    assert digest(package) == before
    assert len(parsed) == 6
    assert len(json.loads(kept(package, "sources").read_text())["found"]) == 3


@pytest.mark.parametrize("name", ["sources", "digests"])
def test_what_other_code_wrote_is_not_believed(package: Path, name: str) -> None:
    """Else a change of what counts as code would change nothing."""
    before = digest(package)
    document = json.loads(kept(package, name).read_text())
    document["valid_for"] = "another parser"
    document["found"] = dict.fromkeys(document["found"], "wrong")
    kept(package, name).write_text(json.dumps(document))
    assert digest(package) == before


def test_where_nothing_can_be_written_the_answer_is_the_same(package: Path, parsed: list[bytes]) -> None:
    before = digest(package)
    for file in (package / "cenbench" / "__pycache__").iterdir():
        file.unlink()
    (package / "cenbench" / "__pycache__").rmdir()
    (package / "cenbench" / "__pycache__").write_text("a file where the folder should be")
    assert digest(package) == digest(package) == before
    assert len(parsed) == 9
