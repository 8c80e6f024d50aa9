"""What an edit of the code runs again: the cases of code_edits.py on every kind of cell, and random ones."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from types import FrameType

import code_edits
import pytest
import torch
from checkout import REPOSITORY, Checkout
from code_copy import CodeCopy, Reached, write
from code_edits import EDITS, Edit, is_docstring, is_log_line
from test_gpu_step import trainer_of
from test_run_variants import variant

import cenbench
from cenbench.evaluate.task import evaluation_entries, metrics_loaded_by_name, selection_entries
from cenbench.matrix.cell import Cell
from cenbench.matrix.methods import methods
from cenbench.matrix.metrics import metrics
from cenbench.matrix.plan import load_plan
from cenbench.records.definitions import parse
from cenbench.records.digests import evaluation_code, training_code
from cenbench.records.fingerprint import PackageCode
from cenbench.train.task import loaded_by_name, loading_entries, training_entries, training_of

MUTATIONS = int(os.environ.get("CENBENCH_MUTATIONS", "30"))
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


@pytest.fixture(scope="module")
def cells() -> Mapping[str, Cell]:
    """A cell for each head with each way to select its weights, and for each fusion method on each task."""
    found: dict[str, Cell] = {}
    seen: set[tuple[str, ...]] = set()
    for preset in ("demo", "paper-official"):
        for cell in load_plan(REPOSITORY / "params", preset).cells.values():
            task, head, selection = cell.task.kind, cell.network.head, cell.protocol.selection
            shows = {(task, head, selection), (task, cell.fusion)}
            if not shows <= seen:
                found[f"{task} {head} {cell.fusion} {selection}"] = cell
                seen |= shows
    return found


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> CodeCopy:
    return CodeCopy(tmp_path_factory.mktemp("code"))


@pytest.fixture
def copy(copied: CodeCopy) -> Iterator[CodeCopy]:
    with copied.undone():
        yield copied


@pytest.fixture(scope="module")
def before(copied: CodeCopy, cells: Mapping[str, Cell]) -> Reached:
    return copied.digests(cells)


def trained(before: Reached, after: Reached) -> set[str]:
    return {kind for kind in before if before[kind][0] != after[kind][0]}


def only_evaluated(before: Reached, after: Reached) -> set[str]:
    return {kind for kind in before if before[kind][1] != after[kind][1]} - trained(before, after)


def test_every_kind_of_cell_is_among_them(cells: Mapping[str, Cell]) -> None:
    assert {cell.fusion for cell in cells.values()} == set(methods())
    for part in ("segmentation refinenet", "segmentation pspnet", "translation unet"):
        assert any(kind.startswith(part) for kind in cells)
    for task in ("segmentation", "translation"):
        assert {cell.protocol.selection for cell in cells.values() if cell.task.kind == task} == {"best", "last"}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.title)
def test_edit(copy: CodeCopy, cells: Mapping[str, Cell], before: Reached, edit: Edit) -> None:
    edit.apply(copy)
    after = copy.digests(cells)
    trains = {kind for kind, cell in cells.items() if edit.trains.contains(cell)}
    assert trained(before, after) == trains
    assert only_evaluated(before, after) == {k for k, cell in cells.items() if edit.evaluates.contains(cell)} - trains


def test_the_documentation_has_the_cases() -> None:
    text = code_edits.DOCUMENT.read_text()
    assert code_edits.document(text) == text, f"out of date: {code_edits.COMMAND}"


def test_a_copy_of_the_package_has_the_same_digests(cells: Mapping[str, Cell], before: Reached) -> None:
    """Neither the folder of the package nor a cache counts."""
    assert before == {kind: (training_code(cell), evaluation_code(cell)) for kind, cell in cells.items()}


def test_no_module_s_name_counts(copy: CodeCopy, cells: Mapping[str, Cell], before: Reached) -> None:
    """Renames every module that training or evaluating imports, including those left out.

    Not the metrics: the name of a metric's file is its key in the records.
    """
    modules = sorted(modules_of(copy, cells) - {f"cenbench.metrics.{name}" for name in metrics()})
    assert len(modules) > 50
    moved = {module: "{}.moved_{}".format(*module.rsplit(".", 1)) for module in modules}
    copy.rename_all(moved)
    after = copy.digests(cells, moved)
    assert {kind for kind in cells if after[kind] != before[kind]} == set()


def modules_of(copy: CodeCopy, cells: Mapping[str, Cell]) -> set[str]:
    """The modules that are imported for one of the cells."""
    found: set[str] = set()
    code = PackageCode(copy.root)
    for cell in cells.values():
        entries = {*training_entries(cell), *selection_entries(cell), *loading_entries(cell), *evaluation_entries(cell)}
        chosen = {**loaded_by_name(cell), **metrics_loaded_by_name(cell)}
        for module in code.reached(tuple(sorted(entries)), chosen).modules:
            if (copy.root / Path(*module.split("."))).with_suffix(".py").is_file():
                found.add(module)
    return found


def test_nothing_derives_from_the_classes_of_given_objects(copied: CodeCopy) -> None:
    """Annotations give the class of an object; members of a derived class that only its maker knows are not seen."""
    given = {"Cell", "Prepared", "Setup", "Trained"}
    classes = [
        node
        for path in copied.files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert given <= {node.name for node in classes}
    assert [node.name for node in classes if given & {ast.unparse(base) for base in node.bases}] == []


def test_marked_modules_compute_nothing(copied: CodeCopy) -> None:
    """A module marked as changing no number cannot compute one with arrays."""
    marked = [path for path in copied.files() if parse(path.read_bytes()).is_marked]
    assert {path.stem for path in marked} >= {"errors", "files"}
    for path in marked:
        assert not {"torch", "numpy"} & set(parse(path.read_bytes()).external), path


@pytest.mark.parametrize("kind", ["segmentation", "translation"])
def test_what_a_step_runs_counts(copy: CodeCopy, prepared_checkout: Checkout, kind: str) -> None:
    """Random changes of constants and operators, in functions that a training step calls, change the digest."""
    cell = variant(prepared_checkout, kind, {"fusion": "exchange", "l1": "all"})
    ran = functions_of_a_step(cell, prepared_checkout)
    before = copy.digests({kind: cell})[kind][0]
    random = Random(kind)
    places = [(path, place) for path in sorted(ran) for place in mutable(copy.package / path, ran[path])]
    assert len(places) > 100
    for path, place in random.sample(places, MUTATIONS // 2):
        with copy.undone():
            tree = ast.parse((copy.package / path).read_text())
            changed = mutate(list(ast.walk(tree))[place], random)
            write(copy.package / path, tree)
            assert copy.digests({kind: cell})[kind][0] != before, f"{path}: {changed}"


def functions_of_a_step(cell: Cell, checkout: Checkout) -> dict[str, set[int]]:
    """Path in the package -> first lines of the functions that building the network and two steps call."""
    package = str(Path(cenbench.__file__).parent) + os.sep
    found: dict[str, set[int]] = {}

    def see(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(package):
            found.setdefault(code.co_filename.removeprefix(package), set()).add(code.co_firstlineno)

    trainer = trainer_of(cell, checkout.root / "data" / "prepared", torch.device("cpu"))
    sys.setprofile(see)
    try:
        training_of(cell).build(cell, 5)
        for step in range(2):
            trainer.begin(step)
            trainer.step(step)
    finally:
        sys.setprofile(None)
    return {path: lines for path, lines in found.items() if not parse(Path(package, path).read_bytes()).is_marked}


def mutable(path: Path, lines: set[int]) -> list[int]:
    """Places, in the order of `ast.walk`, of constants and operators in the functions that begin at these lines."""
    tree = ast.parse(path.read_text())
    words = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise | ast.arg) or is_docstring(node) or is_log_line(node)
        for part in ast.walk(node)
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and first_line(node) in lines]
    inside = {id(part) for function in functions for child in function.body for part in ast.walk(child)} - words
    return [place for place, node in enumerate(ast.walk(tree)) if id(node) in inside and is_mutable(node)]


def first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def is_mutable(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | int | float)
    return isinstance(node, ast.Compare) or (isinstance(node, ast.BinOp) and type(node.op) in OPERATORS)


def mutate(node: ast.AST, random: Random) -> str:
    """Another constant or operator in place; what was there, as text."""
    before = ast.unparse(node)
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, bool | int | float)
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.Compare):
        node.ops[0] = random.choice([op for op in COMPARISONS if op is not type(node.ops[0])])()
    elif isinstance(node, ast.BinOp):
        node.op = random.choice([op for op in OPERATORS if op is not type(node.op)])()
    return before
