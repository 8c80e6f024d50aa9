"""A module's source as definitions: what each of them computes and what it refers to.

A definition is a top-level function, class or statement. Members of a class are definitions too, because of an object
that is passed to a piece of code only those members count which the code asks for.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from cenbench.records.import_time import ImportTime, at_import
from cenbench.records.normal_form import NormalForm, Surroundings, normal_form, of_package
from cenbench.records.scopes import Function, bindings, imported_module, imported_names, top_of
from cenbench.records.wording import is_text

MARK = "# changes no number:"
"""A module with a comment that starts with this at the left margin is left out of code digests."""
TYPE_OF = ":"
"""Prefix of the member that stands for the type of a field."""
_NOTHING = ImportTime(False, ())


class Definition(NamedTuple):
    """A top-level function, class or statement, or a member of a class."""

    names: tuple[str, ...]
    """The names that it binds in its module or class; none if it is only run."""
    form: NormalForm
    """A class's form is without its members."""
    at_import: ImportTime = _NOTHING
    is_class: bool = False
    bases: tuple[str, ...] = ()
    members: tuple[Definition, ...] = ()
    """A class's functions by name, then the other statements of its body in order, then the types of its fields."""
    is_field: bool = False
    """Whether it is an annotated field of a class, or the type of one."""


class Module(NamedTuple):
    """A parsed module."""

    definitions: tuple[Definition, ...]
    imported: dict[str, str]
    """The names that its imports bind -> what they stand for, with the leading dots of a relative import."""
    stars: tuple[str, ...]
    """The modules of `from ... import *`."""
    imports: tuple[str, ...]
    """Modules of the package, or names inside them, that importing it imports."""
    external: tuple[str, ...]
    """Other packages that importing it imports, the standard library left out."""
    is_marked: bool
    """Whether it declares that it changes no number."""


def parse(source: bytes) -> Module:
    """The definitions of a module. Raises SyntaxError if it is not Python."""
    tree = ast.parse(source)
    body = [node for node in _run(tree.body) if not is_text(node)]
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    others = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    names = {**bindings(_type_checked(tree.body)), **bindings(body)}
    loggers = {name for node in others for name in _loggers(node)} | ({"log", "logger"} & set(names))
    inside = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    return Module(
        definitions=tuple(_definition(node, Surroundings(names, loggers)) for node in others),
        imported={name: target for name, target in names.items() if target is not None},
        stars=tuple(imported_module(node) for node in inside),
        imports=tuple(sorted({name for node in imports for name in _imported(node) if of_package(name)})),
        external=tuple(sorted({top_of(name) for node in imports for name in _imported(node) if _is_external(name)})),
        is_marked=_is_marked(source),
    )


def _definition(node: ast.stmt, around: Surroundings) -> Definition:
    effect = at_import(node, around.names)
    if isinstance(node, ast.ClassDef):
        return _class(node, around, effect)
    names = tuple(bindings([node]))
    return Definition(names, normal_form(node, around._replace(targets=names)), effect)


def _class(node: ast.ClassDef, around: Surroundings, effect: ImportTime) -> Definition:
    name = node.name
    bases = tuple(ast.unparse(b.value if isinstance(b, ast.Subscript) else b) for b in node.bases)
    inside = around._replace(class_names=bindings(node.body))
    types = [_type_of(child, inside) for child in node.body if isinstance(child, ast.AnnAssign)]
    functions = sorted((child for child in node.body if isinstance(child, Function)), key=lambda child: child.name)
    rest = [child for child in node.body if not isinstance(child, Function | ast.Pass) and not is_text(child)]
    members = [_member(child, inside) for child in (*functions, *rest)]
    node.name, node.body = "", []
    return Definition((name,), normal_form(node, around), effect, True, bases, (*members, *types))


def _member(node: ast.stmt, inside: Surroundings) -> Definition:
    names = tuple(bindings([node]))
    return Definition(names, normal_form(node, inside), is_field=isinstance(node, ast.AnnAssign))


def _type_of(field: ast.AnnAssign, inside: Surroundings) -> Definition:
    annotation = ast.parse(ast.unparse(field.annotation), mode="eval").body
    names = (f"{TYPE_OF}{ast.unparse(field.target)}",)
    return Definition(names, normal_form(annotation, inside), is_field=True)


def _run(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that importing the module runs."""
    for node in body:
        test = ast.unparse(node.test) if isinstance(node, ast.If) else ""
        if isinstance(node, ast.If) and (test.endswith("TYPE_CHECKING") or test == "__name__ == '__main__'"):
            yield from node.orelse
        else:
            yield node


def _type_checked(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that only a type checker sees."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from node.body


def _loggers(node: ast.stmt) -> tuple[str, ...]:
    value = node.value if isinstance(node, ast.Assign) else None
    is_logger = isinstance(value, ast.Call) and ast.unparse(value.func).endswith("getLogger")
    return tuple(bindings([node])) if is_logger else ()


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return list(imported_names(node).values()) or [imported_module(node)]


def _is_external(dotted: str) -> bool:
    return not of_package(dotted) and top_of(dotted) not in sys.stdlib_module_names


def _is_marked(source: bytes) -> bool:
    if f"\n{MARK}".encode() not in b"\n" + source:
        return False
    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    return any(t.type == tokenize.COMMENT and t.start[1] == 0 and t.string.startswith(MARK) for t in tokens)
