"""How our numbers are judged against the paper's: `params/verdicts.yaml`, and the settings that must agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import check_margin
from cenbench.matrix.preset import Text
from cenbench.matrix.specs import Frozen, PositiveFloat
from cenbench.matrix.table import Metric
from cenbench.matrix.yaml_file import load_model

PAPER_PRESET = "paper-official"
"""The preset whose cells are made as the paper's numbers most likely were."""


class VerdictRules(Frozen):
    """What the verdicts on numbers are based on."""

    margins: dict[Metric, PositiveFloat] = Field(default_factory=dict)
    """Metric -> the difference that counts, in the metric's unit. A metric without a margin gets no verdict."""
    unmeasured_offsets: dict[Metric, Text] = Field(default_factory=dict)
    """Metric -> how its instrument differs from the paper's by an offset that is not measured: never comparable."""

    @field_validator("margins")
    @classmethod
    def _margins_can_be_exceeded(cls, margins: dict[Metric, float]) -> dict[Metric, float]:
        for name, margin in margins.items():
            check_margin(name, margin)
        return margins


def load_verdict_rules(params: Path) -> VerdictRules:
    """Read `params/verdicts.yaml`. Raises `UserError` for an invalid file."""
    return load_model(params / "verdicts.yaml", VerdictRules)


def setting_differences(cell: Cell, reference: Cell) -> list[str]:
    """The settings in which two cells differ, as `protocol.theta: 10.0 / 0.02`: the cell's, then the reference's.

    All that can move a number: everything but the seed, the number of sample pictures, and settings that neither cell
    reads.
    """
    ours, theirs = cell.settings, reference.settings
    unset = object()
    names = dict.fromkeys((*ours, *theirs))
    return [
        f"{name}: {_shown(ours.get(name))} / {_shown(theirs.get(name))}"
        for name in names
        if ours.get(name, unset) != theirs.get(name, unset)
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
