"""Where in a network the modalities are fused, and how: one declaration for the encoders of both tasks."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import nn

from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.fusion_operator import FusionOperator


@dataclass(frozen=True)
class Fusion:
    """A method of `nn/fusion` and the encoder levels (0 is the first) after which it acts.

    `merged`: the modalities are merged into one stream after the last of these levels. Raises ValueError where the
    method does not merge, or does not declare a parameter.
    """

    method: str
    levels: frozenset[int]
    merged: bool = False
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Parameters of the method that differ from the defaults in its file."""

    def __post_init__(self) -> None:
        if self.merged and not self.declared("MERGES"):
            raise ValueError(f"{self.method} cannot merge the modalities into one stream: it does not mix them")
        unknown = sorted(self.parameters.keys() - self._defaults().keys())
        if unknown:
            raise ValueError(f"{self.method} has no parameter {', '.join(unknown)}")

    @property
    def module(self) -> ModuleType:
        """The method's file."""
        return importlib.import_module(f"cenbench.nn.fusion.{self.method.replace('-', '_')}")

    def declared(self, name: str) -> Any:
        """A declaration of the method's file, e.g. `ACTS`."""
        return getattr(self.module, name)

    def check(self, modalities: int, levels: int) -> None:
        """ValueError unless this fusion fits an encoder of that many levels for that many modalities."""
        fewest, most = self.declared("INPUTS")
        if modalities < fewest or (most is not None and modalities > most):
            expected = f"{fewest}" if most == fewest else f"at least {fewest}"
            raise ValueError(f"{self.method} needs {expected} modalities; this network has {modalities}")
        beyond = sorted(level for level in self.levels if not 0 <= level < levels)
        if beyond or not self.levels:
            raise ValueError(f"fusion levels must be within 0..{levels - 1}; found {beyond or 'none'}")

    def exchanges_at(self, level: int) -> bool:
        """Whether the constrained norms of this level exchange."""
        return level in self.levels and bool(self.declared("ACTS") == "norms")

    def operators(self, modalities: int, channels: Sequence[int]) -> nn.ModuleDict:
        """One operator per fused level, keyed by the level's number; `channels` are those of all levels."""
        if self.declared("ACTS") != "points":
            return nn.ModuleDict()
        operator, parameters = self.declared("Operator"), self._defaults() | dict(self.parameters)
        return nn.ModuleDict(
            {str(level): operator(modalities, channels[level], **parameters) for level in sorted(self.levels)}
        )

    @property
    def reads_factors(self) -> bool:
        """Whether it exchanges the channels whose scaling factor is below theta."""
        return bool(self.declared("ACTS") == "norms") and not self.masks

    @property
    def masks(self) -> bool:
        """Whether it exchanges under fixed masks, which its file draws."""
        return bool(getattr(self.module, "FIXED_MASK", False))

    def draw_masks(self, network: nn.Module) -> None:
        """Draw the fixed masks of a network, if it has some, as its last random numbers.

        Weights and everything drawn later are then those of the same network without masks.
        """
        if not self.masks:
            return
        draw = partial(self.module.mask, **self._defaults() | dict(self.parameters))
        with torch.random.fork_rng(devices=[]):
            for module in network.modules():
                if isinstance(module, ConstrainedNorm):
                    module.draw_mask(draw)

    def _defaults(self) -> dict[str, float]:
        declared = getattr(self.module, "PARAMETERS", {})
        return {name: parameter["default"] for name, parameter in declared.items()}


def operator_at(operators: nn.ModuleDict, level: int) -> FusionOperator | None:
    """The operator of a level; None where the level is not fused."""
    if str(level) not in operators:
        return None
    operator = operators[str(level)]
    assert isinstance(operator, FusionOperator)
    return operator


def levels_of(stage: str, levels: int) -> frozenset[int]:
    """Levels of a U-Net with `levels` of them that a table's stage names: first, 4th of 8, last, all.

    Source: paper.md#fusion-stages.
    """
    places: dict[str, Iterable[int]] = {
        "early": [0],
        "middle": [levels // 2 - 1],
        "late": [levels - 1],
        "all": range(levels),
    }
    return frozenset(places[stage])


def resnet_levels_of(stage: str) -> frozenset[int]:
    """Stages of a ResNet that a table's stage names: 2nd, 3rd, 4th, all (paper.md#fusion-stages)."""
    places: dict[str, Iterable[int]] = {"early": [1], "middle": [2], "late": [3], "all": range(4)}
    return frozenset(places[stage])
