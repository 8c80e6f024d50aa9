"""What importing a module does besides binding names. It counts for all code that imports the module."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from typing import NamedTuple

from cenbench.records.normal_form import of_package
from cenbench.records.scopes import Bindings, Function, top_of

_PURE_BUILTINS = frozenset(
    (
        "abs", "bool", "bytes", "classmethod", "dict", "enumerate", "float", "frozenset", "int", "len", "list", "max",
        "min", "object", "property", "range", "round", "set", "sorted", "staticmethod", "str", "sum", "tuple", "zip",
    )
)  # fmt: skip
_PURE_METHODS = frozenset(
    (
        "format", "items", "join", "joinpath", "keys", "lower", "partition", "removeprefix", "removesuffix",
        "resolve", "rpartition", "setter", "split", "strip", "union", "upper", "values", "with_name", "with_suffix",
    )
)  # fmt: skip
_PURE = frozenset(
    (
        "abc.ABCMeta", "abc.abstractmethod", "contextlib.contextmanager", "dataclasses.dataclass", "dataclasses.field",
        "functools.cache", "functools.cached_property", "functools.lru_cache", "functools.partial", "functools.wraps",
        "logging.getLogger", "numpy.array", "os.cpu_count", "pathlib.Path", "pathlib.PurePath",
        "pathlib.PurePosixPath", "pydantic.AfterValidator", "pydantic.ConfigDict", "pydantic.Field",
        "pydantic.StringConstraints", "pydantic.TypeAdapter", "pydantic.field_validator", "pydantic.model_validator",
        "re.compile", "torch.inference_mode", "torch.no_grad", "types.MappingProxyType", "typing.NewType",
        "typing.TypeVar",
    )
)  # fmt: skip
_BINDS_ONLY = Function | ast.ClassDef | ast.Assign | ast.AnnAssign


class ImportTime(NamedTuple):
    """What a definition does when its module is imported."""

    runs: bool
    """Whether it runs something that may have an effect."""
    calls: tuple[str, ...]
    """The functions and classes of the package that it calls, as references (see `NormalForm`)."""


def at_import(node: ast.stmt, names: Bindings) -> ImportTime:
    """What a top-level statement does on import, in a module with these names, besides binding its own."""
    if not isinstance(node, _BINDS_ONLY) or not all(_is_plain(target) for target in _targets(node)):
        return ImportTime(True, ())
    if isinstance(node, ast.ClassDef) and any(keyword.arg != "metaclass" for keyword in node.keywords):
        return ImportTime(True, ())  # arguments of __init_subclass__
    runs, calls = False, set()
    for function in _called(node):
        name, dotted = _name_of(function), _dotted(function, names)
        if name in names and (names[name] is None or of_package(str(names[name]))):
            if _method(function) not in _PURE_METHODS:
                calls.add(ast.unparse(function))
        elif not (dotted in _PURE or _method(function) in _PURE_METHODS or _is_builtin(function)):
            runs = True
    return ImportTime(runs, tuple(sorted(calls)))


def _called(node: ast.AST) -> Iterator[ast.expr]:
    """The functions called, decorators and metaclasses included; bodies of functions are not run."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Function | ast.ClassDef):
            yield from (decorator for decorator in part.decorator_list if not isinstance(decorator, ast.Call))
        if isinstance(part, ast.ClassDef):
            yield from (keyword.value for keyword in part.keywords)
        if isinstance(part, Function):
            defaults = (default for default in part.args.kw_defaults if default)
            waiting += [*part.decorator_list, *part.args.defaults, *defaults]
        elif not isinstance(part, ast.Lambda):
            if isinstance(part, ast.Call):
                yield part.func
            waiting += ast.iter_child_nodes(part)


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _is_plain(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(_is_plain(element) for element in target.elts)
    return isinstance(target, ast.Name)


def _name_of(function: ast.expr) -> str:
    """The name that an attribute chain starts with; empty if it does not start with a name."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def _dotted(function: ast.expr, names: Bindings) -> str:
    """The called function with imports resolved."""
    text = ast.unparse(function)
    return f"{names.get(top_of(text))}{text[len(top_of(text)) :]}"


def _method(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else ""


def _is_builtin(function: ast.expr) -> bool:
    """Whether it is built in and has no effect: a pure function or an exception."""
    name = function.id if isinstance(function, ast.Name) else ""
    value = getattr(builtins, name, None)
    return name in _PURE_BUILTINS or (isinstance(value, type) and issubclass(value, BaseException))
