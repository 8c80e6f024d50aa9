"""What the file of a plug-in declares, in literals. Read, not imported, so that nothing it needs is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.regular_file import read_regular

_MOST_BYTES = 2**24


def read_constants(path: Path) -> dict[str, Any]:
    """Names and values of the constants of a file, annotated or not; `...` for a value that is not a literal.

    Raises `UserError` for a file that cannot be read, is not UTF-8 or is not Python, with the line if known.
    """
    return dict(_literals(_parse(path)))


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


def _accepts(arguments: ast.arguments, count: int) -> bool:
    """Whether a function can be called with that many positional arguments."""
    places = len(arguments.posonlyargs) + len(arguments.args)
    required = [default for default in arguments.kw_defaults if default is None]
    return places - len(arguments.defaults) <= count <= (count if arguments.vararg else places) and not required


def _defined(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None]]:
    """Names that a module binds at its top level, with the definition if it is one."""
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
        return ast.parse(read_regular(path, _MOST_BYTES).decode("utf-8"), filename=str(path))
    except UnicodeDecodeError as error:
        newlines = error.object[: error.start].count(b"\n")
        raise UserError("this file is not UTF-8 text", where=path, key=f"line {newlines + 1}") from error
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


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name):
            try:
                yield target.id, ast.literal_eval(value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                yield target.id, ...
