"""The fusion methods there are, as files of `cenbench/nn/fusion` declare them. Read, not imported: no torch here."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

_FOLDER = Path(__file__).parents[1] / "nn" / "fusion"


@dataclass(frozen=True)
class Method:
    """What a method's file declares; see `cenbench/nn/fusion/__init__.py`."""

    name: str
    label: str
    acts: Literal["points", "norms", "nowhere"]
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
    said: dict[str, Any] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                said[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    try:
        fewest, most = said["INPUTS"]
        return Method(path.stem.replace("_", "-"), said["LABEL"], said["ACTS"], said["MERGES"], fewest, most)
    except KeyError as missing:
        raise TypeError(f"{path} declares no {missing.args[0]}; see {_FOLDER / '__init__.py'}") from None
