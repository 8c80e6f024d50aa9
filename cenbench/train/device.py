"""Which device a cell trains on, and the settings that make CPU runs repeatable."""

from __future__ import annotations

import torch

from cenbench.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is a device. Threads are left to OMP_NUM_THREADS; equal counts give equal bytes."""
    if name not in DEVICES:
        raise UserError("unknown device", key="--device", found=name, expected=", ".join(DEVICES))
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device can be used here", key="--device", found=name, mend="--device cpu")
    cuda = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    # Shapes are fixed, so the convolution algorithms chosen in the first steps serve all others. CUDA runs are not
    # bitwise repeatable anyway: bilinear upsampling has no deterministic backward pass there.
    torch.backends.cudnn.benchmark = cuda
    return torch.device("cuda" if cuda else "cpu")
