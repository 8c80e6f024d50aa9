"""Where in a network modalities are fused, and how: the same declaration for encoders of either task."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from cenbench.nn.fusion_operator import FusionOperator


@dataclass(frozen=True)
class Fusion:
    """A method of `nn/fusion` and the levels of the encoder (0 the first) after which it acts.

    `merged`: one stream goes on after the last of them. Raises ValueError for what cannot be.
    """

    method: str
    levels: frozenset[int]
    merged: bool = False

    def __post_init__(self) -> None:
        if self.merged and not self.declares("MERGES"):
            raise ValueError(f"after {self.method} no single stream can go on: it does not mix the modalities")

    def declares(self, name: str) -> Any:
        """What the method's file says, e.g. `ACTS`."""
        return getattr(_module(self.method), name)

    def check(self, modalities: int, levels: int) -> None:
        """ValueError unless an encoder of so many levels can be fused so for so many modalities."""
        fewest, most = self.declares("INPUTS")
        if modalities < fewest or (most is not None and modalities > most):
            wanted = f"{fewest}" if most == fewest else f"at least {fewest}"
            raise ValueError(f"{self.method} needs {wanted} modalities; this network has {modalities}")
        beyond = sorted(level for level in self.levels if not 0 <= level < levels)
        if beyond or not self.levels:
            raise ValueError(f"fusion levels must be of 0..{levels - 1}; found {beyond or 'none'}")

    def exchanges_at(self, level: int) -> bool:
        """Whether the constrained norms of this level exchange."""
        return level in self.levels and bool(self.declares("ACTS") == "norms")

    def operators(self, modalities: int, channels: Sequence[int]) -> nn.ModuleDict:
        """An operator for each fused level, under the level's number; `channels` are those of all levels."""
        if self.declares("ACTS") != "points":
            return nn.ModuleDict()
        operator: type[FusionOperator] = self.declares("Operator")
        return nn.ModuleDict({str(level): operator(modalities, channels[level]) for level in sorted(self.levels)})


def operator_at(operators: nn.ModuleDict, level: int) -> FusionOperator | None:
    """The operator of a level; None where that is not fused."""
    if str(level) not in operators:
        return None
    operator = operators[str(level)]
    assert isinstance(operator, FusionOperator)
    return operator


def levels_of(stage: str, levels: int) -> frozenset[int]:
    """Levels a table's stage stands for, in a U-Net of so many (paper.md#fusion-stages): 1st, 4th of 8, last, every."""
    places: dict[str, Iterable[int]] = {
        "early": [0],
        "middle": [levels // 2 - 1],
        "late": [levels - 1],
        "all": range(levels),
    }
    return frozenset(places[stage])


def resnet_levels_of(stage: str) -> frozenset[int]:
    """Stages of a ResNet a table's stage stands for (paper.md#fusion-stages): after the 2nd, 3rd, 4th, every one."""
    places: dict[str, Iterable[int]] = {"early": [1], "middle": [2], "late": [3], "all": range(4)}
    return frozenset(places[stage])


def _module(method: str) -> Any:
    return importlib.import_module(f"cenbench.nn.fusion.{method.replace('-', '_')}")
