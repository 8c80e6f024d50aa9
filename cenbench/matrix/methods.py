"""The fusion methods there are, as files of `cenbench/nn/fusion` declare them. Read, not imported: no torch here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from cenbench.errors import UserError

Acts = Literal["points", "norms", "nowhere"]
_DECLARED = ("LABEL", "ACTS", "MERGES", "INPUTS")
_FOLDER = Path(__file__).parents[1] / "nn" / "fusion"


@dataclass(frozen=True)
class Method:
    """What a method's file declares; see `cenbench/nn/fusion/__init__.py`."""

    name: str
    label: str
    acts: Acts
    merges: bool
    fewest: int
    most: int | None

    def takes(self, modalities: int) -> bool:
        return modalities >= self.fewest and (self.most is None or modalities <= self.most)

    @property
    def wants(self) -> str:
        """How many modalities, in words."""
        words = {1: "one modality", 2: "two modalities"}
        fewest = words.get(self.fewest, f"{self.fewest} modalities")
        return f"exactly {fewest}" if self.most == self.fewest else f"at least {fewest}"


@cache
def methods() -> dict[str, Method]:
    """name -> method, in the order of names."""
    found = (_read(path) for path in sorted(_FOLDER.glob("[a-z]*.py")))
    return {method.name: method for method in found}


def _read(path: Path) -> Method:
    said = dict(_literals(ast.parse(path.read_text(encoding="utf-8"))))
    label, acts, merges, inputs = (said.get(name) for name in _DECLARED)
    for name, fits, expected in (
        ("LABEL", isinstance(label, str) and label, "a text"),
        ("ACTS", acts in get_args(Acts), ", ".join(map(repr, get_args(Acts)))),
        ("MERGES", isinstance(merges, bool), "True or False"),
        ("INPUTS", _is_range(inputs), "(fewest, most) modalities; most may be None"),
    ):
        if not fits:
            found = repr(said[name]) if name in said else "nothing, or no literal"
            fix = f"see {_FOLDER / '__init__.py'}"
            problem = "a fusion method's file must declare this"
            raise UserError(problem, where=path, key=name, found=found, expected=expected, fix=fix)
    fewest, most = said["INPUTS"]
    return Method(path.stem.replace("_", "-"), said["LABEL"], said["ACTS"], said["MERGES"], fewest, most)


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Names and values of the constants of a file, annotated or not; what is no literal is left out."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name):
            with suppress(ValueError):
                yield target.id, ast.literal_eval(value)


def _is_range(inputs: Any) -> bool:
    if not isinstance(inputs, tuple) or len(inputs) != 2:
        return False
    fewest, most = inputs
    return isinstance(fewest, int) and fewest >= 1 and (most is None or (isinstance(most, int) and most >= fewest))
