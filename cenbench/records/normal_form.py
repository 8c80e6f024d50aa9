"""The normal form of a piece of code: what it computes, apart from how it is written and where its parts lie.

It has no docstrings, annotations, messages (`cenbench.records.wording`) or imports, and not the names under which a
module knows other definitions: a name that refers to something outside the piece becomes a number. What the numbers
stand for is listed beside the form, so that using another function changes it and moving a function does not.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

from cenbench.records.scopes import (
    Bindings,
    Comprehension,
    Function,
    bindings,
    imported_module,
    imported_names,
    parameters,
    top_of,
)
from cenbench.records.wording import LOG_METHODS, carries_values, is_text, makes_error, without_message, without_text

PACKAGE = "cenbench"
EVERYTHING = f"${PACKAGE}."
_READS_NO_ANNOTATION = frozenset(
    (
        "staticmethod", "classmethod", "property", "cached_property", "setter", "abstractmethod", "override", "final",
        "cache", "lru_cache", "wraps", "contextmanager", "no_grad", "inference_mode", "model_validator",
        "field_validator",
    )
)  # fmt: skip
_LOADS_CODE = frozenset(
    (
        "importlib.import_module", "importlib.reload", "importlib.util.spec_from_file_location",
        "pkgutil.resolve_name", "runpy.run_path", "runpy.run_module", "sys.modules",
    )
)  # fmt: skip
_RUNS_TEXT = frozenset({"__import__", "exec", "eval", "globals"})
_FIELD_KINDS = ("ClassVar", "InitVar", "KW_ONLY")
_Node = TypeVar("_Node", bound=ast.AST)


class NormalForm(NamedTuple):
    """A normal form and what it depends on.

    A reference is a dotted name. `np.linalg.norm` starts with a name of the module that the code is in; `=a.b.c` with a
    top-level package; `$a.b.c` is text that may be the name of a module, or its beginning. `?` in front: the code only
    asks whether an object is an instance of it.
    """

    shape: str
    """SHA-256 (hex)."""
    refs: tuple[str, ...]
    """References by number."""
    types: tuple[str, ...]
    """References of annotations."""
    attributes: tuple[str, ...]
    """Attributes that it may ask any object for; `*` stands for all."""
    imports: tuple[str, ...]
    """Modules of the package, or names inside them, that it imports when it runs."""


class Surroundings(NamedTuple):
    """What is known about the module around a piece of code."""

    names: Bindings
    """Names of the module."""
    loggers: Collection[str] = ()
    """The loggers among them."""
    class_names: Bindings | None = None
    """Names of the class that the piece is a member of."""
    targets: Sequence[str] = ()
    """Names that the piece binds in the module."""


def normal_form(node: ast.AST, surroundings: Surroundings) -> NormalForm:
    """The normal form of a statement or expression. Changes its tree."""
    reader = _Reader(surroundings)
    read = reader.visit(node)
    shape = hashlib.sha256(ast.dump(read or ast.Pass(), annotate_fields=False).encode()).hexdigest()
    found = (tuple(sorted(names)) for names in (reader.types, reader.attributes, reader.imports))
    return NormalForm(shape, tuple(reader.refs), *found)


def of_package(dotted: str) -> bool:
    """Whether an imported name belongs to the package, as relative ones do."""
    return dotted.startswith(".") or top_of(dotted) == PACKAGE


class _Reader(ast.NodeTransformer):
    """Brings a tree into normal form and collects what it refers to."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._scopes: list[tuple[bool, Bindings]] = []
        """Innermost last, and whether it is a class: functions in it do not see its names."""
        if surroundings.class_names is not None:
            self._scopes.append((True, surroundings.class_names))
        self.refs: dict[str, int] = {}
        self.types: set[str] = set()
        self.attributes: set[str] = set()
        self.imports: set[str] = set()

    # Names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not self._scopes and isinstance(node.ctx, ast.Store) and node.id in self._around.targets:
            return ast.Name(f"={self._around.targets.index(node.id)}", node.ctx)
        ref = self._ref(node.id)
        if ref is None:
            if node.id in _RUNS_TEXT and not self._is_local(node.id):
                self._number(EVERYTHING)
            return node
        return self._reference(ref, node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.attributes.add(node.attr)
        chain = _chain(node)
        ref = self._ref(top_of(chain)) if chain and isinstance(node.ctx, ast.Load) else None
        if ref is None:
            return self.generic_visit(node)
        tail = chain.partition(".")[2]
        self.attributes.update(tail.split("."))
        return self._reference(f"{ref}.{tail}", node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str):
            return ast.Constant(node.value)
        if re.fullmatch(r"[A-Za-z_][\w.]{0,63}", node.value):  # `getattr` may be given it
            self.attributes.update(node.value.split("."))
        named = re.match(rf"{PACKAGE}\.[\w.]*", node.value)
        if named is None or node.value[named.end() :].strip("%s{}."):
            return ast.Constant(node.value)
        return self._reference(f"${named[0]}", ast.Load())

    def _reference(self, ref: str, ctx: ast.expr_context) -> ast.expr:
        if self._dotted(ref) in _LOADS_CODE:
            self._number(EVERYTHING)
        return ast.Name(f"#{self._number(ref)}", ctx)

    def _number(self, ref: str) -> int:
        return self.refs.setdefault(ref, len(self.refs))

    def _ref(self, name: str) -> str | None:
        """What a name refers to outside this piece of code; None for a local or built-in name."""
        for depth, (is_class, names) in enumerate(reversed(self._scopes)):
            if name in names and not (is_class and depth):
                if is_class and name in self._around.names:  # until the class binds it, the module's is read
                    self._number(name)
                target = names[name]
                return None if target is None else f"={target}"
        return name if name in self._around.names else None

    def _is_local(self, name: str) -> bool:
        return any(name in names for _, names in self._scopes)

    def _dotted(self, ref: str | None) -> str:
        """A reference with imports resolved: `numpy.linalg.norm` for `np.linalg.norm`. Empty if it is not an import."""
        if ref is None or ref.startswith("="):
            return (ref or "")[1:]
        top, dot, tail = ref.partition(".")
        target = self._around.names.get(top)
        return f"{target}{dot}{tail}" if target else ""

    # Words

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if is_text(node):
            return None
        if isinstance(node.value, ast.Call) and self._is_log(node.value.func):
            left = without_text([*node.value.args, *node.value.keywords])
            if not left:
                return None
            arguments = [argument for argument in left if isinstance(argument, ast.expr)]
            named = [argument for argument in left if isinstance(argument, ast.keyword)]
            node = ast.Expr(ast.Call(node.value.func, arguments, named))
        return self.generic_visit(node)

    def _is_log(self, function: ast.expr) -> bool:
        chain = _chain(function)
        ref = self._ref(top_of(chain)) if chain else None
        if ref is None:
            return False
        name, _, method = chain.partition(".")
        whole = self._dotted(f"{ref}.{method}" if method else ref)
        is_logger = name in self._around.loggers and not self._is_local(name)
        return whole == "warnings.warn" or (method in LOG_METHODS and (is_logger or whole == f"logging.{method}"))

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call) and not carries_values(node.exc.func):
            node.exc = without_message(node.exc)
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        return None

    # Calls with a meaning of their own

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if makes_error(node.func):
            node = without_message(node)
        called = node.func.id if isinstance(node.func, ast.Name) and not self._ref(node.func.id) else None
        chain = _chain(node.func)
        whole = self._dotted(_joined(self._ref(top_of(chain)), chain)) if chain else ""
        if whole == "importlib.import_module" and node.args and _begins_with_package(node.args[0]):
            return ast.Call(ast.Name("import", ast.Load()), [self.visit(argument) for argument in node.args], [])
        if called == "isinstance" and len(node.args) == 2:
            return ast.Call(node.func, [self.visit(node.args[0]), self._asked(node.args[1])], [])
        if (
            called == "getattr"
            and len(node.args) > 1
            and isinstance(node.args[1], ast.JoinedStr | ast.BinOp | ast.Call)
        ):
            self.attributes.add("*")
        return self.generic_visit(node)

    def _asked(self, node: ast.expr) -> ast.expr:
        """The second argument of `isinstance`, as references that are only asked about."""
        if isinstance(node, ast.Tuple):
            return ast.Tuple([self._asked(element) for element in node.elts], node.ctx)
        if isinstance(node, ast.BinOp):
            return ast.BinOp(self._asked(node.left), node.op, self._asked(node.right))
        chain = _chain(node)
        ref = _joined(self._ref(top_of(chain)), chain) if chain else None
        read: ast.expr = self.visit(node) if ref is None else ast.Name(f"#{self._number(f'?{ref}')}", ast.Load())
        return read

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: Function) -> ast.AST:
        keep = not all(self._is_known(decorator) for decorator in node.decorator_list)
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        self._outer_part(node.args)
        for parameter in parameters(node.args):
            parameter.annotation = self._annotation(parameter.annotation, keep=keep)
            parameter.type_comment = None
        node.returns = self._annotation(node.returns, keep=keep)
        node.type_comment = None
        if not self._scopes:
            node.name = ""
        with self._scope({**dict.fromkeys(_names(node.args)), **bindings(node.body)}):
            node.body = self._block(node.body)
        return node

    def _is_known(self, decorator: ast.expr) -> bool:
        """Whether a decorator is known not to read annotations."""
        chain = _chain(decorator.func if isinstance(decorator, ast.Call) else decorator)
        ref = _joined(self._ref(top_of(chain)), chain)
        return (self._dotted(ref) or chain).rpartition(".")[2] in _READS_NO_ANNOTATION

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._outer_part(node.args)
        with self._scope(dict.fromkeys(_names(node.args))):
            node.body = self.visit(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for name in ("decorator_list", "bases", "keywords"):
            setattr(node, name, [self.visit(child) for child in getattr(node, name)])
        with self._scope(bindings(node.body), is_class=True):
            node.body = self._block(node.body)
        return node

    def _comprehension(self, node: Comprehension) -> ast.AST:
        first = node.generators[0]
        outer = self.visit(first.iter)  # in the scope around it
        first.iter = ast.Constant(None)
        with self._scope(bindings(generator.target for generator in node.generators)):
            self.generic_visit(node)
        first.iter = outer
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _outer_part(self, arguments: ast.arguments) -> None:
        arguments.defaults = [self.visit(default) for default in arguments.defaults]
        arguments.kw_defaults = [default and self.visit(default) for default in arguments.kw_defaults]

    @contextmanager
    def _scope(self, names: Mapping[str, str | None], *, is_class: bool = False) -> Iterator[None]:
        self._scopes.append((is_class, names))
        yield
        self._scopes.pop()

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        read = [self.visit(statement) for statement in statements]
        return [statement for statement in read if statement is not None] or [ast.Pass()]

    def generic_visit(self, node: _Node) -> _Node:
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    # Annotations and imports

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        kind = _field_kind(node.annotation)
        self._annotation(node.annotation, keep=False)
        value = self.visit(node.value) if node.value else None
        if self._scopes and self._scopes[-1][0]:  # a field, with a default or without
            return ast.AnnAssign(node.target, ast.Constant(kind), value, node.simple)
        return ast.Assign([self.visit(node.target)], value) if value else None

    def _annotation(self, node: ast.expr | None, *, keep: bool) -> ast.expr | None:
        if node is None:
            return None
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                with suppress(SyntaxError):
                    self._annotation(ast.parse(part.value, mode="eval").body, keep=False)
            chain = _chain(part)
            ref = _joined(self._ref(top_of(chain)), chain) if chain else None
            if ref is not None:
                self.types.add(ref)
        return self.visit(node) if keep else None

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._import(node, [ast.alias(alias.name) for alias in node.names if not of_package(alias.name)])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        external = not of_package(imported_module(node))
        return self._import(node, [ast.alias(alias.name) for alias in node.names] if external else [])

    def _import(self, node: ast.Import | ast.ImportFrom, external: list[ast.alias]) -> ast.AST | None:
        for name, target in imported_names(node).items():
            if of_package(target):
                self.imports.add(target)
            if self._ref(name) != f"={target}":  # bound in other ways too: not resolved where it is used
                self._number(f"={target}")
        node.names = external
        return node if external else None


def _chain(node: ast.AST) -> str:
    """`a.b.c` as text; empty for any other expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _joined(ref: str | None, chain: str) -> str | None:
    """The reference to a whole chain, from that to its first name."""
    _, dot, tail = chain.partition(".")
    return None if ref is None else f"{ref}{dot}{tail}"


def _names(arguments: ast.arguments) -> list[str]:
    return [parameter.arg for parameter in parameters(arguments)]


def _field_kind(annotation: ast.expr) -> str:
    """What an annotation declares besides a type: a class variable, say."""
    text = ast.unparse(annotation)
    return next((kind for kind in _FIELD_KINDS if re.search(rf"\b{kind}\b", text)), "field")


def _begins_with_package(node: ast.expr) -> bool:
    """Whether it is text that starts with the package's name, so that what it can import is known."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return _begins_with_package(node.values[0])
    if isinstance(node, ast.BinOp):
        return _begins_with_package(node.left)
    return isinstance(node, ast.Constant) and str(node.value).startswith(f"{PACKAGE}.")
