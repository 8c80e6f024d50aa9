"""What one stored modality is: its type, unit, range and the value that stands for 'not measured'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UNITS_PER_METRE = 512.0
"""Depth is stored in 1/512 m, as Taskonomy has it (paper.md#taskonomy), where a declaration says nothing else."""


@dataclass(frozen=True)
class ModalityDeclaration:
    """One array (N, H, W) or (N, H, W, 3) of a prepared dataset."""

    dtype: Literal["uint8", "uint16"]
    channels: Literal[1, 3]
    unit: str
    """What a stored value means, in words."""
    range: tuple[int, int]
    """Smallest and largest value that may be stored, missing values apart."""
    missing: int | None = None
    """Stored value that means 'not measured', if there is one."""
    units_per_metre: float = UNITS_PER_METRE
    """Depth only: stored units in a metre."""
