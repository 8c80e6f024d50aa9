"""The parts of a syntax tree that are only wording: messages of errors, warnings and the log."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_HARMLESS = ast.Constant | ast.Name | ast.Attribute | ast.JoinedStr | ast.FormattedValue | ast.BinOp | ast.keyword
_EXCEPTIONS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_CARRY_VALUES = frozenset({"StopIteration", "StopAsyncIteration", "SystemExit"})
_PACKAGE_ERRORS = frozenset({"UserError", "CellFailed", "CellSkipped"})


def is_text(node: ast.AST) -> bool:
    """Whether it is a constant that stands alone: a docstring of a definition, or of the field above it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def makes_error(function: ast.expr) -> bool:
    """Whether calling it makes an exception that carries only a message, nothing that is computed with."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _PACKAGE_ERRORS or (name in _EXCEPTIONS - _CARRY_VALUES and isinstance(function, ast.Name))


def carries_values(function: ast.expr) -> bool:
    """Whether an exception carries a value, as `StopIteration` does."""
    return isinstance(function, ast.Name) and function.id in _CARRY_VALUES


def without_message(call: ast.Call) -> ast.Call:
    """The call without its arguments, unless they assign or yield something."""
    arguments = [*call.args, *call.keywords]
    if any(_has_effect(node) for argument in arguments for node in ast.walk(argument)):
        return call
    return ast.Call(call.func, [], [])


def without_text(arguments: Iterable[ast.expr | ast.keyword]) -> list[ast.expr | ast.keyword]:
    """The arguments of a log line: none if they only name values, else all of them with their text removed."""
    kept = list(arguments)
    if all(isinstance(node, _HARMLESS | ast.expr_context | ast.operator) for a in kept for node in ast.walk(a)):
        return []
    return [_Blank().visit(argument) for argument in kept]


class _Blank(ast.NodeTransformer):
    """Removes text, except in the arguments of a call, where it may select what is done."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        values = [value for value in node.values if isinstance(value, ast.FormattedValue)]
        return ast.JoinedStr([ast.FormattedValue(self.visit(value.value), -1, None) for value in values])

    def visit_Call(self, node: ast.Call) -> ast.Call:
        return node


def _has_effect(node: ast.AST) -> bool:
    return isinstance(node, ast.NamedExpr | ast.Yield | ast.YieldFrom | ast.Await)
