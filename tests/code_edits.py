"""Edits of the code and what each of them runs again: the cases of test_records_fingerprint.py.

`python tests/code_edits.py` writes them into docs/architecture.md; a test checks that the table there is current.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from checkout import REPOSITORY
from code_copy import CodeCopy, write

from cenbench.matrix.cell import Cell

DOCUMENT = REPOSITORY / "docs" / "architecture.md"
COMMAND = "python tests/code_edits.py"
BEGIN, END = f"<!-- reruns: written by `{COMMAND}` -->\n", "<!-- end of reruns -->\n"
COMPUTING = ("nn", "train", "evaluate", "metrics")
"""Rooms in which most of what makes a number lies."""


class Cells(NamedTuple):
    """Some kinds of cells."""

    title: str
    contains: Callable[[Cell], bool]


NONE = Cells("", lambda cell: False)
ALL = Cells("all cells", lambda cell: True)
SEGMENTATION = Cells("segmentation cells", lambda cell: cell.task.kind == "segmentation")
TRANSLATION = Cells("translation cells", lambda cell: cell.task.kind == "translation")
BEST_SEGMENTATION = Cells(
    "segmentation cells with `selection: best`",
    lambda cell: cell.task.kind == "segmentation" and cell.protocol.selection == "best",
)
BEST_TRANSLATION = Cells(
    "translation cells with `selection: best`",
    lambda cell: cell.task.kind == "translation" and cell.protocol.selection == "best",
)
REFINENET = Cells("cells with the head `refinenet`", lambda cell: cell.network.head == "refinenet")
CONCAT = Cells("cells with the fusion method `concat`", lambda cell: cell.fusion == "concat")


@dataclass(frozen=True)
class Edit:
    """An edit, the cells that it trains again, and those others that it only evaluates again."""

    title: str
    apply: Callable[[CodeCopy], object]
    trains: Cells = NONE
    evaluates: Cells = NONE


class Reword(ast.NodeTransformer):
    """Other words in each text of the statements that `rewords` selects."""

    def __init__(self, rewords: Callable[[ast.AST], bool]) -> None:
        self._rewords, self._inside = rewords, False

    def visit(self, node: ast.AST) -> ast.AST:
        before, self._inside = self._inside, self._inside or self._rewords(node)
        made: ast.AST = super().visit(node)
        self._inside = before
        return made

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        is_text = self._inside and isinstance(node.value, str)
        return ast.Constant(f"In other words: {node.value}") if is_text else node


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_log_line(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).startswith("log.")


def is_raise(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise)


class Annotations(ast.NodeTransformer):
    """Another annotation for what is annotated as a tensor or a plain value."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = self._other(node.annotation)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = self._other(node.returns)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = self._other(node.annotation) or node.annotation
        return node

    def _other(self, annotation: ast.expr | None) -> ast.expr | None:
        text = ast.unparse(annotation) if annotation else ""
        return ast.Constant(f"{text} | None") if text in ("Tensor", "int", "float", "bool", "str") else annotation


class Alias(ast.NodeTransformer):
    """Everything imported is imported under another name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self._names = {}
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module != "__future__":
            for alias in node.names:
                self._names[alias.asname or alias.name] = alias.asname = f"imported_{alias.name}"
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node


def reformat(copy: CodeCopy) -> None:
    """All modules without comments, in another layout."""
    for path in copy.files():
        write(path, ast.parse(path.read_text()))


def first(node: ast.AST, kind: type[ast.AST], where: Callable[[ast.AST], bool] = lambda node: True) -> ast.AST:
    return next(each for each in ast.walk(node) if isinstance(each, kind) and where(each))


def other_constant(node: ast.stmt) -> ast.stmt:
    """The same with its first number one greater."""
    found = first(node, ast.Constant, lambda each: type(each.value) in (int, float))  # type: ignore[attr-defined]
    found.value += 1  # type: ignore[attr-defined]
    return node


def other_operator(node: ast.stmt) -> ast.stmt:
    """The same with an addition or subtraction exchanged for the other."""
    found = first(node, ast.BinOp, lambda each: isinstance(each.op, ast.Sub | ast.Add))  # type: ignore[attr-defined]
    found.op = ast.Add() if isinstance(found.op, ast.Sub) else ast.Sub()  # type: ignore[attr-defined]
    return node


def other_default(node: ast.stmt) -> ast.stmt:
    """The same with another default of its last argument that has one."""
    arguments = first(node, ast.arguments, lambda each: bool(each.defaults or any(each.kw_defaults)))  # type: ignore[attr-defined]
    defaults = arguments.defaults or arguments.kw_defaults  # type: ignore[attr-defined]
    place = max(i for i, default in enumerate(defaults) if default)
    defaults[place] = ast.Constant(7)
    return node


def decorated(node: ast.stmt) -> ast.stmt:
    assert isinstance(node, ast.FunctionDef)
    node.decorator_list.append(ast.parse("torch.no_grad()", mode="eval").body)
    return node


def other_base(node: ast.stmt) -> ast.stmt:
    assert isinstance(node, ast.ClassDef)
    node.bases = [ast.parse("nn.Sequential", mode="eval").body]
    return node


def doubled(method: str) -> Callable[[ast.stmt], ast.stmt]:
    """A class whose method returns twice what it did."""

    def change(node: ast.stmt) -> ast.stmt:
        function = first(node, ast.FunctionDef, lambda each: each.name == method)  # type: ignore[attr-defined]
        returned = first(function, ast.Return)
        returned.value = ast.BinOp(returned.value, ast.Mult(), ast.Constant(2))  # type: ignore[attr-defined]
        return node

    return change


def retitled(node: ast.stmt) -> ast.stmt:
    assert isinstance(node, ast.Assign)
    node.value = ast.Constant("Frechet distance")
    return node


def with_field(node: ast.stmt) -> ast.stmt:
    assert isinstance(node, ast.ClassDef)
    node.body.append(ast.parse("sharpness: float = 0.0").body[0])
    return node


def other_field_default(field: str) -> Callable[[ast.stmt], ast.stmt]:
    def change(node: ast.stmt) -> ast.stmt:
        found = first(node, ast.AnnAssign, lambda each: ast.unparse(each.target) == field)  # type: ignore[attr-defined]
        found.value = ast.Constant(0.125)  # type: ignore[attr-defined]
        return node

    return change


def with_tf32(node: ast.stmt) -> ast.stmt:
    assert isinstance(node, ast.FunctionDef)
    node.body.insert(1, ast.parse("torch.backends.cuda.matmul.allow_tf32 = True").body[0])
    return node


def swap_imports(copy: CodeCopy, definition: str, one: str, other: str) -> None:
    """Each of two functions takes the other's place in the module of a definition."""
    path = copy.file_of(definition)
    tree = ast.parse(path.read_text())
    aliases = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    [a], [b] = ([alias for alias in aliases if alias.name == name] for name in (one, other))
    a.name, a.asname, b.name, b.asname = other, one, one, other
    write(path, tree)


def move(copy: CodeCopy, definition: str, neighbour: str) -> None:
    """Move a function into the module of another one, which gets its imports too; its own module imports it."""
    source, target = copy.file_of(definition), copy.file_of(neighbour)
    assert source != target
    tree, receiving = ast.parse(source.read_text()), ast.parse(target.read_text())
    [function] = [node for node in tree.body if getattr(node, "name", "") == definition]
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    module = ".".join(target.relative_to(copy.root).with_suffix("").parts)
    tree.body = [node for node in tree.body if node is not function]
    tree.body.insert(len(imports) + 1, ast.ImportFrom(module, [ast.alias(definition)], 0))
    receiving.body = [*imports, *(node for node in receiving.body if not is_docstring(node)), function]
    future = [node for node in receiving.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    receiving.body = [future[0], *(node for node in receiving.body if node not in future)]
    write(source, tree)
    write(target, receiving)


def rename_metric(copy: CodeCopy) -> None:
    copy.rename("cenbench.metrics.kid_x100", "cenbench.metrics.kid_x1000")


def add_file(path: str, text: str) -> Callable[[CodeCopy], object]:
    return lambda copy: (copy.package / path).write_text(text)


def like(path: str, other: str) -> Callable[[CodeCopy], object]:
    """A new file with the text of another one."""
    return lambda copy: (copy.package / path).write_bytes((copy.package / other).read_bytes())


UNRELATED = "def unrelated(x: float) -> float:\n    return 3.0 * x"

EDITS = (
    Edit("a comment, the layout of the code", reformat),
    Edit("a docstring", lambda copy: copy.edit_all(Reword(is_docstring), *COMPUTING, "data")),
    Edit("a type annotation", lambda copy: copy.edit_all(Annotations(), *COMPUTING)),
    Edit("the message of an error", lambda copy: copy.edit_all(Reword(is_raise), *COMPUTING, "data", "matrix")),
    Edit("a line of the log", lambda copy: copy.edit_all(Reword(is_log_line), *COMPUTING)),
    Edit("the name under which something is imported", lambda copy: copy.edit_all(Alias(), *COMPUTING)),
    Edit("the name of a module", lambda copy: copy.rename("cenbench.data.transforms", "cenbench.data.geometry")),
    Edit("the module that a function is in", lambda copy: move(copy, "image_distance_S", "segmentation_nll_S")),
    Edit(
        "how files are written, errors printed, progress shown (modules marked `# changes no number`)",
        lambda copy: [copy.edit(name, other_constant) for name in ("atomic_path", "LOG_EVERY_S")],
    ),
    Edit("a new function beside those that are used", lambda copy: copy.append("train_steps", UNRELATED)),
    Edit("a new setting that no code reads yet", lambda copy: copy.edit("SegmentationProtocol", with_field)),
    Edit("a new fusion method", like("nn/fusion/maximum.py", "nn/fusion/average.py")),
    Edit(
        "the title of a metric",
        lambda copy: copy.edit("fid.py:TITLE", retitled),
    ),
    Edit("a new module of the report", add_file("report/violins.py", UNRELATED)),
    Edit(
        "a number in the loss of segmentation",
        lambda copy: copy.edit("segmentation_nll_S", other_constant),
        SEGMENTATION,
    ),
    Edit(
        "an operator in a loss of translation", lambda copy: copy.edit("image_distance_S", other_operator), TRANSLATION
    ),
    Edit(
        "an import that puts one function in the place of another",
        lambda copy: swap_imports(copy, "UNet", "leaky_relu_over", "relu_over"),
        TRANSLATION,
    ),
    Edit("a constant that the norms read", lambda copy: copy.edit("EPS", other_constant), ALL),
    Edit("a default argument of the encoder", lambda copy: copy.edit("ResNet", other_default), SEGMENTATION),
    Edit("a decorator of a loss", lambda copy: copy.edit("adversarial_loss", decorated), TRANSLATION),
    Edit("a base class in a head", lambda copy: copy.edit("ChainedPooling", other_base), REFINENET),
    Edit("a fusion method", lambda copy: copy.edit("concat.py:Operator", doubled("merge")), CONCAT),
    Edit("a method that is only inherited", lambda copy: copy.edit("_TrainingBatches", doubled("read")), ALL),
    Edit("a property of the cell that the code asks for", lambda copy: copy.edit("Cell", doubled("streams")), ALL),
    Edit("how a prepared dataset is read", lambda copy: copy.edit("Prepared", doubled("indices")), ALL),
    Edit(
        "the default of a setting that the code reads",
        lambda copy: copy.edit("SegmentationProtocol", other_field_default("scale_min")),
        ALL,  # any cell's code may make the cell that it starts from, whose protocol is one for segmentation
    ),
    Edit(
        "a statement that is run when a module is imported",
        lambda copy: copy.append("ModalityNorm", "torch.set_default_dtype(torch.float64)"),
        ALL,
    ),
    Edit("FID", lambda copy: copy.edit("frechet_distance", other_operator), BEST_TRANSLATION, TRANSLATION),
    Edit("KID", lambda copy: copy.edit("kid_x100.py:compute", other_constant), evaluates=TRANSLATION),
    Edit("a new metric of images", like("metrics/psnr.py", "metrics/psnr_db.py"), evaluates=TRANSLATION),
    Edit("a new metric of classes", like("metrics/dice_pct.py", "metrics/miou_pct.py"), evaluates=SEGMENTATION),
    Edit("the name of a metric's file, its key in records", rename_metric, evaluates=TRANSLATION),
    Edit(
        "mean IoU", lambda copy: copy.edit("miou_pct.py:compute", doubled("compute")), BEST_SEGMENTATION, SEGMENTATION
    ),
    Edit(
        "another metric of classes",
        lambda copy: copy.edit("fwiou_pct.py:compute", doubled("compute")),
        evaluates=SEGMENTATION,
    ),
    Edit(
        "how the classes of an image are predicted",
        lambda copy: copy.edit("predicted_classes", doubled("predicted_classes")),
        BEST_SEGMENTATION,
        SEGMENTATION,
    ),
    Edit("the sample pictures", lambda copy: copy.edit("side_by_side", doubled("side_by_side")), evaluates=ALL),
    Edit("which GPU arithmetic is allowed", lambda copy: copy.edit("choose_device", with_tf32), ALL),
)


def table() -> str:
    """The cases in Markdown: first what runs nothing, then what trains, then what only evaluates."""
    lines = ["| edit | trains again | only evaluates again |", "|---|---|---|"]
    for edit in EDITS:
        evaluates = edit.evaluates.title and (
            f"other {edit.evaluates.title}" if edit.trains.title else edit.evaluates.title
        )
        lines.append(f"| {edit.title} | {edit.trains.title or '-'} | {evaluates or '-'} |")
    return "\n".join(lines) + "\n"


def document(text: str) -> str:
    """`text` with the current table between the two marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
