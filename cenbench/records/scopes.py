"""The names that Python binds in a scope: they tell whether a name is local or refers to the module around it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

Bindings = Mapping[str, str | None]
"""Name -> the dotted name it stands for if only imports bind it, else None."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def imported_names(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The names that an import binds -> what they stand for, with leading dots if relative; none for `import *`."""
    if isinstance(node, ast.Import):
        return {a.asname or top_of(a.name): a.name if a.asname else top_of(a.name) for a in node.names}
    module = imported_module(node)
    dot = "" if module.endswith(".") else "."
    return {a.asname or a.name: f"{module}{dot}{a.name}" for a in node.names if a.name != "*"}


def imported_module(node: ast.ImportFrom) -> str:
    """The module that a statement imports from, with the leading dots of a relative import."""
    return "." * node.level + (node.module or "")


def top_of(dotted: str) -> str:
    """`a` of `a.b.c`."""
    return dotted.partition(".")[0]


def bindings(nodes: Iterable[ast.AST]) -> dict[str, str | None]:
    """The names bound in the scope that these nodes form, without the scopes nested in it."""
    found: dict[str, str | None] = {}
    elsewhere: set[str] = set()
    for node in _of_scope(nodes):
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        for name, target in _bound_by(node):
            found[name] = target if found.get(name, target) == target else None
    return {name: target for name, target in found.items() if name not in elsewhere}


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters of a function."""
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def _bound_by(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from imported_names(node).items()
    elif isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id, None
    elif isinstance(node, Function | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name is not None:
            yield node.name, None
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        yield node.rest, None


def _of_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """These nodes and everything inside them that belongs to the same scope."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Function):
            waiting += [*node.decorator_list, *_defaults(node.args)]
        elif isinstance(node, ast.Lambda):
            waiting += _defaults(node.args)
        elif isinstance(node, ast.ClassDef):
            waiting += [*node.decorator_list, *node.bases, *node.keywords]
        elif isinstance(node, Comprehension):
            waiting.append(node.generators[0].iter)
            # `:=` in a comprehension binds outside it.
            waiting += [inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)]
        else:
            waiting += ast.iter_child_nodes(node)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default)]
