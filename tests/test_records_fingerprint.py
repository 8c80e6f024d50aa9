"""Which edits make another code: statements, where they are imported; never comments or docstrings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import REPOSITORY

from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import load_plan
from cenbench.records import digests as run_digests
from cenbench.records import fingerprint
from cenbench.records.fingerprint import code_digest

SEGMENTATION, TRANSLATION = ("cenbench.train.segmentation",), ("cenbench.train.translation",)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package, whose code the digests of cells are taken of."""
    shutil.copytree(REPOSITORY / "cenbench", tmp_path / "cenbench", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(run_digests, "code_digest", lambda entries: code_digest(entries, tmp_path))
    yield tmp_path
    run_digests._code.cache_clear()


@pytest.fixture(scope="module")
def ours() -> tuple[Cell, Cell]:
    """The method's cell of table 7 (RefineNet) and of table 8 (U-Net)."""
    plan = load_plan(REPOSITORY / "params", "demo")
    found = [next(c for c in plan.cells_of(name) if c.fusion == "exchange") for name in ("table7", "table8")]
    return found[0], found[1]


def forget() -> None:
    """Read the code anew: within one process it is taken not to change."""
    fingerprint._sources.cache_clear()
    run_digests._code.cache_clear()


def training(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    forget()
    return tuple(run_digests.training_code(cell) for cell in cells)


def evaluation(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    forget()
    return tuple(run_digests.evaluation_code(cell) for cell in cells)


def append(root: Path, path: str) -> None:
    with (root / "cenbench" / path).open("a") as file:
        file.write("\n_ADDED = 1\n")


def changes(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[bool, ...]:
    return tuple(a != b for a, b in zip(before, after, strict=True))


def with_other(cell: Cell, **parts: object) -> Cell:
    """The cell with keys of these parts changed, or a part as a whole."""
    document = cell.model_dump(mode="json")
    for name, value in parts.items():
        document[name] = document[name] | value if isinstance(value, dict) else value
    return Cell.model_validate(document)


@pytest.mark.parametrize(
    ("path", "retrains"),
    [
        ("nn/exchange.py", (True, True)),
        ("nn/refinenet.py", (True, False)),
        ("nn/pspnet.py", (False, False)),
        ("nn/unet.py", (False, True)),
        ("nn/fusion/exchange.py", (True, True)),
        ("nn/fusion/concat.py", (False, False)),
        ("nn/fusion_points.py", (True, True)),
        ("train/segmentation_loss.py", (True, False)),
        ("train/translation_losses.py", (False, True)),
        ("train/loop.py", (True, True)),
        ("data/transforms.py", (True, True)),
        ("metrics/miou_pct.py", (False, False)),
        ("report/table.py", (False, False)),
        ("cli/main.py", (False, False)),
        ("train/progress.py", (False, False)),
    ],
)
def test_a_statement_retrains_what_imports_it(
    root: Path, ours: tuple[Cell, Cell], path: str, retrains: tuple[bool, bool]
) -> None:
    before = training(ours)
    append(root, path)
    assert changes(before, training(ours)) == retrains


@pytest.mark.parametrize(
    ("path", "measures"),
    [
        ("metrics/miou_pct.py", (True, False)),
        ("metrics/mae_x10.py", (False, True)),
        ("evaluate/network_cost.py", (True, True)),
        ("nn/refinenet.py", (True, False)),
        ("nn/fusion/exchange.py", (True, True)),
        ("nn/fusion/concat.py", (False, False)),
        ("report/table.py", (False, False)),
    ],
)
def test_a_statement_measures_again_what_imports_it(
    root: Path, ours: tuple[Cell, Cell], path: str, measures: tuple[bool, bool]
) -> None:
    before = evaluation(ours)
    append(root, path)
    assert changes(before, evaluation(ours)) == measures


def test_a_method_and_a_head_retrain_their_own_cells_only(root: Path, ours: tuple[Cell, Cell]) -> None:
    """They are loaded by name, so no import leads to them: a cell's digest has to name its own."""
    refinenet = with_other(ours[0], fusion="none", l1="none")
    pspnet = with_other(refinenet, network={"head": "pspnet"})
    concat = with_other(refinenet, fusion="concat")
    attention = with_other(ours[1], fusion="self-att", l1="none")
    cells = (ours[0], refinenet, pspnet, concat, attention)
    for path, expected in (
        ("nn/pspnet.py", (False, False, True, False, False)),
        ("nn/fusion/concat.py", (False, False, False, True, False)),
        ("nn/fusion/self_att.py", (False, False, False, False, True)),
        ("nn/fusion/none.py", (False, True, True, False, False)),
    ):
        before = training(cells), evaluation(cells)
        append(root, path)
        assert changes(before[0], training(cells)) == expected, path
        assert changes(before[1], evaluation(cells)) == expected, path


def test_code_that_chooses_the_weights_is_training_code(root: Path, ours: tuple[Cell, Cell]) -> None:
    chosen = {"name": "mine", "selection": "best"}
    cells = (*ours, with_other(ours[0], protocol=chosen), with_other(ours[1], protocol=chosen))
    before = training(cells)
    append(root, "metrics/miou_pct.py")
    assert changes(before, training(cells)) == (False, False, True, False)


def test_comments_docstrings_and_layout_are_not_code(root: Path, ours: tuple[Cell, Cell]) -> None:
    before = training(ours), evaluation(ours)
    path = root / "cenbench" / "nn" / "exchange.py"
    text = path.read_text()
    changed = '"""Other words."""\n\n\n# a comment\n' + text.split('"""', 2)[2]
    changed = changed.replace('"""Replace each channel', '"""Exchange: replace each channel').replace(
        "    M = ", "    M  =  "
    )
    assert changed != text
    path.write_text(changed)
    assert (training(ours), evaluation(ours)) == before


def test_where_the_package_lies_does_not_matter(root: Path, ours: tuple[Cell, Cell]) -> None:
    for cell, entries in zip(ours, (SEGMENTATION, TRANSLATION), strict=True):
        assert code_digest(entries, root) == code_digest(entries)
        own = (f"cenbench.nn.fusion.{cell.fusion}", f"cenbench.nn.{cell.network.head}")
        assert training((cell,)) == (code_digest(("cenbench.train.train_cell", *entries, *own)),)


def test_where_the_best_weights_are_selected_measuring_trains_and_drawing_does_not(
    root: Path, ours: tuple[Cell, Cell]
) -> None:
    segmentation = {"name": "mine", "selection": "best"}
    cells = tuple(with_other(cell, protocol={**cell.protocol.model_dump(), **segmentation}) for cell in ours)
    before = training(cells)
    append(root, "evaluate/samples.py")
    append(root, "records/write.py")
    assert changes(before, training(cells)) == (False, False)
    append(root, "metrics/miou_pct.py")
    assert changes(before, training(cells)) == (True, False)
    append(root, "metrics/kid_x100.py")
    append(root, "metrics/psnr_db.py")
    append(root, "evaluate/translation.py")
    assert changes(before, training(cells)) == (True, False)
    append(root, "metrics/fid.py")
    assert changes(before, training(cells)) == (True, True)
    assert changes(training(ours), before) == (True, True), "the last weights are trained by less code"
