"""Reference outputs of the released implementation, if available: CENBENCH_REFERENCE or ../shared/reference."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

FOLDER = Path(os.environ.get("CENBENCH_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))


def load(name: str) -> Any:
    """Load one of the files; skip the test, with the path, if it does not exist."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no reference outputs at {path} (set CENBENCH_REFERENCE)")
    return torch.load(path, weights_only=True)
