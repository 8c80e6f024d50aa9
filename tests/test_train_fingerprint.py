"""Which edits make another code: statements, where they are imported; never comments or docstrings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checkout import REPOSITORY

from cenbench.train import fingerprint
from cenbench.train.fingerprint import code_digest

SEGMENTATION, TRANSLATION = ("cenbench.train.segmentation",), ("cenbench.train.translation",)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "cenbench", tmp_path / "cenbench", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def digests(root: Path) -> tuple[str, str]:
    fingerprint._parsed.cache_clear()
    return code_digest(SEGMENTATION, root), code_digest(TRANSLATION, root)


@pytest.mark.parametrize(
    ("path", "retrains"),
    [
        ("nn/exchange.py", (True, True)),
        ("nn/refinenet.py", (True, False)),
        ("nn/unet.py", (False, True)),
        ("train/segmentation_loss.py", (True, False)),
        ("train/translation_losses.py", (False, True)),
        ("train/loop.py", (True, True)),
        ("data/transforms.py", (True, True)),
        ("metrics/segmentation.py", (False, False)),
        ("report/table.py", (False, False)),
        ("cli/main.py", (False, False)),
        ("train/progress.py", (False, False)),
    ],
)
def test_a_statement_retrains_what_imports_it(root: Path, path: str, retrains: tuple[bool, bool]) -> None:
    before = digests(root)
    with (root / "cenbench" / path).open("a") as file:
        file.write("\n_ADDED = 1\n")
    after = digests(root)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == retrains


def test_comments_docstrings_and_layout_are_not_code(root: Path) -> None:
    before = digests(root)
    path = root / "cenbench" / "nn" / "exchange.py"
    text = path.read_text()
    changed = '"""Other words."""\n\n\n# a comment\n' + text.split('"""', 2)[2]
    changed = changed.replace('"""Replace each channel', '"""Exchange: replace each channel').replace(
        "    M = ", "    M  =  "
    )
    assert changed != text
    path.write_text(changed)
    assert digests(root) == before


def test_where_the_package_lies_does_not_matter(root: Path) -> None:
    assert digests(root) == (code_digest(SEGMENTATION), code_digest(TRANSLATION))
