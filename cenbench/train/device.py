"""Which device a cell trains on, and the settings that make it fast there."""

from __future__ import annotations

import ctypes

import torch

from cenbench.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """`auto` chooses CUDA if available. OMP_NUM_THREADS sets the threads; equal counts give equal bytes."""
    if name not in DEVICES:
        raise UserError("unknown device", key="--device", found=name, expected=", ".join(DEVICES))
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device is available", key="--device", found=name, fix="--device cpu")
    cuda = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    # Shapes are fixed, so the convolution algorithms chosen in the first steps suit all later ones. CUDA runs are not
    # bitwise repeatable in any case: bilinear upsampling has no deterministic backward pass there.
    torch.backends.cudnn.benchmark = cuda
    if not cuda:
        keep_freed_memory()
    return torch.device("cuda" if cuda else "cpu")


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # as in malloc.h
_NEVER, _CHUNK_BYTES = 2**31 - 1, 2**28


def keep_freed_memory() -> bool:
    """Make this process keep freed memory for its next step; returns whether the C library supports that.

    glibc returns large blocks to the kernel, which zeroes every page again for the next step: up to a quarter of a CPU
    step (`benchmarks/README.md`). With this setting freed memory stays with the process until it ends. Other C
    libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _CHUNK_BYTES))
    return all(mallopt(option, value) == 1 for option, value in settings)
