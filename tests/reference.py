"""Reference outputs of the released implementation, if at hand: CENBENCH_REFERENCE or ../shared/reference."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

FOLDER = Path(os.environ.get("CENBENCH_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))


def load(name: str) -> Any:
    """One of its files, or a skip that says where it was looked for."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no reference outputs at {path} (set CENBENCH_REFERENCE)")
    return torch.load(path, weights_only=True)
