"""Declaration of one stored modality: data type, unit, range, and the value for 'not measured'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UNITS_PER_METRE = 512.0
"""Depth is stored in 1/512 m, as in Taskonomy (paper.md#taskonomy), unless a declaration states otherwise."""


@dataclass(frozen=True)
class ModalityDeclaration:
    """One array (N, H, W) or (N, H, W, 3) of a prepared dataset."""

    dtype: Literal["uint8", "uint16"]
    channels: Literal[1, 3]
    unit: str
    """Meaning of a stored value, in words."""
    range: tuple[int, int]
    """Smallest and largest value that may be stored, apart from `missing`."""
    missing: int | None = None
    """Stored value for 'not measured', if there is one."""
    units_per_metre: float = UNITS_PER_METRE
    """Depth only: stored units per metre."""
