"""What the file of a plug-in declares, in literals. Read, not imported, so that nothing it needs is imported."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.regular_file import not_utf8, read_regular

_MOST_BYTES = 2**24


def read_constants(path: Path) -> dict[str, Any]:
    """Names and values of the constants of a file, annotated or not; `...` for a value that is not a literal.

    Raises `UserError` for a file that cannot be read, is not UTF-8 or is not Python, with the line if known.
    """
    return {name: value for name, _, value in _literals(_parse(path))}


def constant_key(path: Path, name: str) -> str:
    """The key of a constant for an error message: its name, with its line if the file has it."""
    lines = {constant: line for constant, line, _ in _literals(_parse(path))}
    return f"{name} (line {lines[name]})" if name in lines else name


def check_defines(path: Path, name: str, parameters: tuple[str, ...] | None, fix: str) -> None:
    """Raise `UserError` unless the file defines `name`; given `parameters`, a function that can be called with these.

    A name that is imported or assigned counts as defined: what it stands for is not known here.
    """
    found = dict(_defined(_parse(path)))
    call = name if parameters is None else f"def {name}({', '.join(parameters)})"
    if name not in found:
        raise UserError(f"this file must define {name}", where=path, key=name, found="nothing", expected=call, fix=fix)
    node = found[name]
    if parameters is None or node is None:
        return
    if not isinstance(node, ast.FunctionDef) or not _accepts(node.args, len(parameters)):
        raise UserError(
            f"{name} cannot be called with what it is given",
            where=path,
            key=f"{name} (line {node.lineno})",
            found=ast.unparse(node).strip().splitlines()[0].rstrip(":"),
            expected=call,
            fix=fix,
        )


def check_methods(path: Path, name: str, methods: Mapping[str, tuple[int, frozenset[str]] | None], fix: str) -> None:
    """Raise `UserError` unless class `name` defines each of `methods`, or may inherit it from a class of another name.

    A method is given a number of arguments by position and others by name; None: it has to be there, no more. A class
    that is not a plain one of this file, or that derives from another of this file, is not examined.
    """
    defined = dict(_defined(_parse(path)))
    node = defined.get(name)
    if (
        not isinstance(node, ast.ClassDef)
        or node.keywords
        or any(ast.unparse(base) != "FusionOperator" for base in node.bases)
    ):
        return
    own: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None] = dict(_defined(node))
    for method, given in methods.items():
        found = own.get(method)
        if method in own and (given is None or found is None):
            continue
        if (
            method in own
            and isinstance(found, ast.FunctionDef)
            and given
            and _takes(found.args, 1 + given[0], given[1])
        ):
            continue
        if method not in own and method == "__init__" and given is not None and not given[1]:
            continue  # that of FusionOperator
        problem = f"{name}.{method} cannot be called with what it is given" if found else f"{name} must define {method}"
        named = f", which takes {', '.join(sorted(given[1]))} by name" if given and given[1] else ""
        raise UserError(
            problem,
            where=path,
            key=f"{name}.{method} (line {(found or node).lineno})",
            found=ast.unparse(found).splitlines()[0].rstrip(":") if found else _similar(method, own),
            expected=f"def {method}{named}",
            fix=fix,
        )


def check_named(path: Path, name: str, count: int, named: frozenset[str], fix: str) -> None:
    """Raise `UserError` for a function of the file that cannot be given `count` arguments and those by name."""
    node = dict(_defined(_parse(path))).get(name)
    if isinstance(node, ast.FunctionDef) and not _takes(node.args, count, named):
        raise UserError(
            f"{name} cannot be called with what it is given",
            where=path,
            key=f"{name} (line {node.lineno})",
            found=f"def {name}({ast.unparse(node.args)})",
            expected=f"{count} arguments, and by name: {', '.join(sorted(named)) or 'none'}",
            fix=fix,
        )


def _similar(method: str, own: Mapping[str, object]) -> str:
    """The method that is probably a misspelt one."""
    return next(iter(difflib.get_close_matches(method, own, n=1)), "nothing")


def _takes(arguments: ast.arguments, count: int, named: frozenset[str]) -> bool:
    """Whether a function takes that many arguments by position and those by name, and requires no others."""
    places = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    only_named = [argument.arg for argument in arguments.kwonlyargs]
    optional = {*places[len(places) - len(arguments.defaults) :]}
    optional |= {name for name, value in zip(only_named, arguments.kw_defaults, strict=True) if value is not None}
    later = {*places[count:], *only_named}
    enough = len(places) >= count or arguments.vararg is not None
    by_name = later - {argument.arg for argument in arguments.posonlyargs}
    return enough and later - optional <= named and (named <= by_name or arguments.kwarg is not None)


def _accepts(arguments: ast.arguments, count: int) -> bool:
    """Whether a function can be called with that many positional arguments."""
    places = len(arguments.posonlyargs) + len(arguments.args)
    required = [default for default in arguments.kw_defaults if default is None]
    return places - len(arguments.defaults) <= count <= (count if arguments.vararg else places) and not required


def _defined(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None]]:
    """Names that a module or a class binds at its top level, with the definition if it is one."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, None if node.decorator_list else node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name.partition(".")[0], None) for alias in node.names)
        else:
            bound = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name | ast.FunctionDef | ast.ClassDef))
            for inner in bound:
                if not isinstance(inner, ast.Name):
                    yield inner.name, None
                elif isinstance(inner.ctx, ast.Store):
                    yield inner.id, None


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(read_regular(path, _MOST_BYTES).decode("utf-8-sig"), filename=str(path))
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    except SyntaxError as error:
        found = (error.text or "").strip() or None
        key = f"line {error.lineno}" if error.lineno else None
        raise UserError(f"this file is not valid Python: {error.msg}", where=path, key=key, found=found) from error
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; nested too deeply
        raise UserError(f"this file is not valid Python: {error or 'nested too deeply'}", where=path) from error


def describe_constant(constants: Mapping[str, Any], name: str) -> str:
    """What a file declares under this name, for an error message."""
    if name not in constants:
        return "nothing"
    return "not a literal" if constants[name] is ... else repr(constants[name])


def _literals(tree: ast.Module) -> Iterator[tuple[str, int, Any]]:
    """Name, line and value of each constant."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name):
            try:
                yield target.id, node.lineno, ast.literal_eval(value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                yield target.id, node.lineno, ...
