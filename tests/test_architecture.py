"""Imports point one way (docs/architecture.md), and what must be quick to start imports nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import REPOSITORY

PACKAGE = REPOSITORY / "cenbench"
# A room may import itself and these; errors and files may be imported by all.
MAY_IMPORT = {
    "matrix": {"matrix"},
    "data": {"data", "matrix.specs", "matrix.cell"},
    "nn": {"nn"},
    "metrics": {"metrics"},
    "pretrained": {"pretrained", "matrix", "metrics"},
    "train": {"train", "matrix", "data", "nn", "pretrained.catalog"},
    "evaluate": {"evaluate", "matrix", "data", "nn", "metrics", "train", "pretrained.catalog"},
    "records": {"records", "matrix", "data", "pretrained", "evaluate.measured"},
    "run": {"run", "matrix", "data", "nn", "pretrained", "train", "evaluate", "records"},
    "schedule": {"schedule", "matrix", "data", "pretrained", "records", "run"},
    "doctor": {"doctor", "matrix", "data", "pretrained", "run"},
    "report": {"report", "matrix", "metrics.descriptions", "pretrained", "records", "schedule", "doctor", "data"},
    "cli": {
        *("cli", "matrix", "data", "nn", "metrics", "pretrained", "train", "evaluate", "records", "run", "schedule"),
        *("doctor", "report"),
    },
}
EVERYONE = {"errors", "files", "paths", "redact", "sha256_cache", "strict_json", "tensor_file"}


def imports(path: Path) -> set[str]:
    """What a file imports of the package, e.g. `nn.build`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cenbench."):
            found.add(node.module.removeprefix("cenbench."))
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("cenbench.") for a in node.names if a.name.startswith("cenbench.")}
    return found


def files() -> list[Path]:
    return sorted(path for room in MAY_IMPORT for path in (PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_up_the_list_only(path: Path) -> None:
    allowed = MAY_IMPORT[path.relative_to(PACKAGE).parts[0]] | EVERYONE
    for imported in imports(path):
        assert any(imported == each or imported.startswith(f"{each}.") for each in allowed), imported


def test_every_room_is_listed() -> None:
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("cenbench.matrix.plan", ("torch", "pandas", "rich")),
        ("cenbench.schedule.dag", ("torch", "pandas", "torchvision")),
        ("cenbench.records.read", ("torch", "pandas")),
        ("cenbench.doctor.site", ("torch", "pandas", "numpy")),
        ("cenbench.schedule.remaining_cost", ("torch", "pandas")),
        ("cenbench.report.pages", ("torch", "torchvision")),
        ("cenbench.report.terminal_status", ("torch", "pandas")),
        ("cenbench.cli.main", ("torch", "pandas", "mitsuba")),
        ("cenbench.train.segmentation", ("torchvision", "torch_fidelity", "mitsuba")),
    ],
)
def test_starts_without(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_workflow_holds_no_logic() -> None:
    """Rules call the command line; what they need to know they ask `cenbench.schedule.dag`."""
    for path in (REPOSITORY / "workflow").rglob("*.smk"):
        text = path.read_text()
        assert "def " not in text, path
        assert "lambda" not in text, path
