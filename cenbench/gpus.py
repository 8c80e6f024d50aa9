"""Whether this machine shows a GPU, asked without importing torch."""
# changes no number: how many cells run at once

from __future__ import annotations

from pathlib import Path

_WSL = ("dev/dxg", "usr/lib/wsl/lib/libcuda.so.1")
"""The GPU of Windows in its subsystem for Linux, and the driver that CUDA uses there."""


def has_gpu(filesystem: Path = Path("/")) -> bool:
    """Whether CUDA would find a GPU. A container may have another than the first, which keeps its number.

    `filesystem` is the folder in which /dev and /usr are.
    """
    return any((filesystem / "dev").glob("nvidia[0-9]*")) or all((filesystem / name).exists() for name in _WSL)
