"""Which device a cell trains on, and the settings that make it fast there."""

from __future__ import annotations

import ctypes

import torch

from cenbench.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is a device. Threads are left to OMP_NUM_THREADS; equal counts give equal bytes."""
    if name not in DEVICES:
        raise UserError("unknown device", key="--device", found=name, expected=", ".join(DEVICES))
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA device can be used here", key="--device", found=name, fix="--device cpu")
    cuda = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    # Shapes are fixed, so the convolution algorithms chosen in the first steps serve all others. CUDA runs are not
    # bitwise repeatable anyway: bilinear upsampling has no deterministic backward pass there.
    torch.backends.cudnn.benchmark = cuda
    if not cuda:
        keep_freed_memory()
    return torch.device("cuda" if cuda else "cpu")


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of malloc.h
_NEVER, _CHUNK_BYTES = 2**31 - 1, 2**28


def keep_freed_memory() -> bool:
    """Let this process keep what its tensors free, for the next step's; whether the C library could be told so.

    glibc gives large blocks back to the kernel, which zeroes every page again when the next step asks: up to a quarter
    of a CPU step (`benchmarks/README.md`). What was freed stays with the process until it ends. Other C libraries go on
    as they do.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _CHUNK_BYTES))
    return all(mallopt(option, value) == 1 for option, value in settings)
