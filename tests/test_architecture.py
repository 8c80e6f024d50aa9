"""Imports point one way (docs/architecture.md), and what must start quickly imports nothing heavy.

The rules themselves are in tests/rooms.py. A test lists every offender, with its file and line.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from checkout import REPOSITORY
from import_graph import PACKAGE, Source, Sources, cycles, imports, parse_sources, read_sources
from rooms import COMMAND, DOCUMENT, ENTRY, MAY_IMPORT, SHARED, room_table, with_table

ORDER = list(MAY_IMPORT)


@pytest.fixture(scope="module")
def sources() -> Sources:
    return read_sources()


def forbidden_imports(sources: Sources) -> list[str]:
    """Imports that the rules of rooms.py do not allow."""
    return [
        f"{source.file}:{found.line} imports {found}"
        for source in sources.values()
        for found in imports(source, sources)
        if found.room != source.room and not _may_import(source.room, found.module, found.types_only)
    ]


def _may_import(room: str, module: str, types_only: bool) -> bool:
    if room == ENTRY or module in SHARED:
        return True
    allowed = MAY_IMPORT.get(room, ("matrix",) if types_only else ())
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def private_imports(sources: Sources) -> list[str]:
    """Imports of another room's modules or names that begin with an underscore."""
    return [
        f"{source.file}:{found.line} imports {found}"
        for source in sources.values()
        for found in imports(source, sources)
        if found.room != source.room and any(map(_private, [*found.module.split("."), *found.names]))
    ]


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def hidden_imports(sources: Sources) -> list[str]:
    """String constants that name a room below their own (`import_module("cenbench.report.pages")`).

    Docstrings may: they are for readers.
    """
    return [
        f"{source.file}:{text.lineno} names cenbench.{room} in {text.value!r}"
        for source in sources.values()
        for text in _strings(source)
        for room in re.findall(r"\bcenbench[./](\w+)", str(text.value))
        if source.room in ORDER and room in ORDER and ORDER.index(room) > ORDER.index(source.room)
    ]


def _strings(source: Source) -> Iterator[ast.Constant]:
    docstrings = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


RULES = [forbidden_imports, private_imports, hidden_imports, cycles]


@pytest.mark.parametrize("offenders", RULES)
def test_the_package_keeps_the_rule(offenders: Callable[[Sources], list[str]], sources: Sources) -> None:
    found = offenders(sources)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("offenders", "texts", "expected"),
    [
        (
            forbidden_imports,
            {
                "cenbench/nn/a.py": "import torch\ndef f():\n    from cenbench.report import pages",
                "cenbench/report/pages.py": "",
            },
            "cenbench/nn/a.py:3 imports cenbench.report.pages",
        ),
        (
            forbidden_imports,
            {"cenbench/files.py": "from cenbench.matrix.cell import Cell"},
            "cenbench/files.py:1 imports Cell from cenbench.matrix.cell",
        ),
        (
            forbidden_imports,
            {"cenbench/nn/a.py": "from ..train import loop", "cenbench/train/loop.py": ""},
            "cenbench/nn/a.py:1 imports cenbench.train.loop",
        ),
        (
            private_imports,
            {"cenbench/report/a.py": "from cenbench.records.read import _sealed"},
            "cenbench/report/a.py:1 imports _sealed from cenbench.records.read",
        ),
        (
            hidden_imports,
            {"cenbench/schedule/a.py": '"""See cenbench.report.pages."""\nname = f"cenbench.report.{1}"'},
            "cenbench/schedule/a.py:2 names cenbench.report in 'cenbench.report.'",
        ),
        (
            cycles,
            {
                "cenbench/nn/a.py": "from cenbench.nn import b",
                "cenbench/nn/b.py": "\ndef f():\n    from cenbench.nn.c import x",
                "cenbench/nn/c.py": "import cenbench.nn.a",
            },
            "cenbench/nn/a.py:1 imports nn.b; cenbench/nn/b.py:3 imports nn.c; cenbench/nn/c.py:1 imports nn.a",
        ),
    ],
)
def test_an_offender_is_found(offenders: Callable[[Sources], list[str]], texts: dict[str, str], expected: str) -> None:
    assert offenders(parse_sources(texts)) == [expected]


def test_imports_for_types_alone_make_no_cycle() -> None:
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cenbench.nn import a"
    texts = {"cenbench/nn/a.py": "from cenbench.nn import b", "cenbench/nn/b.py": guarded}
    assert cycles(parse_sources(texts)) == []


def test_rules_name_every_room_and_point_up(sources: Sources) -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(MAY_IMPORT)
    assert {name for name in sources if "." not in name} - folders == {"", ENTRY, *SHARED}
    for room, allowed in MAY_IMPORT.items():
        assert {name.split(".")[0] for name in allowed} <= set(ORDER[: ORDER.index(room)]), room


def test_the_document_shows_the_rules(sources: Sources) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == with_table(text, room_table(sources)), f"out of date; fix: {COMMAND}"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("matrix.plan", ("torch", "pandas", "rich", "scipy")),
        ("records.digests doctor.site", ("torch", "pandas", "numpy")),
        (
            "schedule.dag schedule.remaining_cost records.read records.per_image report.terminal_status cli.main",
            ("torch", "pandas", "torchvision", "mitsuba", "scipy.stats", "scipy.special"),
        ),
        ("report.pages", ("torch", "mitsuba", "scipy.stats", "scipy.special")),
        ("report.rendered report.code", ("torch", "pandas", "scipy", "matplotlib")),
        (
            "train.segmentation train.translation evaluate.segmentation evaluate.translation metrics.ssim"
            " metrics.psnr_db run.cell",
            ("torchvision", "torch_fidelity", "torchmetrics", "mitsuba", "scipy", "torch._dynamo"),
        ),
    ],
)
def test_starts_without(modules: str, heavy: tuple[str, ...]) -> None:
    """What takes a second to import is imported where it is used, or not at all."""
    imports = "".join(f"import cenbench.{module}\n" for module in modules.split())
    code = f"{imports}import sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_workflow_holds_no_logic() -> None:
    """Rules call the command line; what they need to know they ask `cenbench.schedule.dag`."""
    for path in (REPOSITORY / "workflow").rglob("*.smk"):
        text = path.read_text()
        assert "def " not in text, path
        assert "lambda" not in text, path
