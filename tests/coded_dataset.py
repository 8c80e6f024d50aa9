"""A dataset whose pixels contain their own number, and tiny protocols for cropping batches from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tiny_dataset import write_dataset

from cenbench.data.prepared import Prepared
from cenbench.matrix.specs import SegmentationProtocol, TranslationProtocol

TRAIN, VAL, HEIGHT, WIDTH = 6, 3, 8, 10


def segmentation(**changes: Any) -> SegmentationProtocol:
    given = {
        "name": "clean", "phases": [{"epochs": 1, "lr_encoder": 1e-3, "lr_decoder": 1e-3}], "batch_size": 2,
        "momentum": 0.9, "weight_decay": 0.0, "lambda_l1": 0.0, "theta": 0.01, "crop_px": 7,
    }  # fmt: skip
    return SegmentationProtocol(**{**given, **changes})


def translation(**changes: Any) -> TranslationProtocol:
    given = {
        "name": "clean", "epochs": 1, "batch_size": 2, "lr": 1e-3, "beta1": 0.5, "beta2": 0.9, "lambda_l1": 0.0,
        "theta": 0.01, "resize_px": 8, "crop_px": 6,
    }  # fmt: skip
    return TranslationProtocol(**{**given, **changes})


def pixel_numbers(scenes: int = TRAIN + VAL, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(N, H, W) 1, 2, 3, ...: unique per pixel and scene; 0 means 'missing'."""
    return 1 + np.arange(scenes * height * width).reshape(scenes, height, width)


def coded_dataset(root: Path) -> Prepared:
    """Both depths and the label contain the pixel's number; the label modulo 200, so that void is unused."""
    numbers = pixel_numbers()
    stored = numbers.astype(np.uint16)
    arrays = {"depth_euclidean": stored, "depth_zbuffer": stored, "semantic": (numbers % 200).astype(np.uint8)}
    # Colours and normals that follow the pixel's number, smooth enough to interpolate.
    columns = np.broadcast_to(np.arange(WIDTH) * 25, numbers.shape)
    rows = np.broadcast_to(np.arange(HEIGHT)[:, None] * 30, numbers.shape)
    arrays["rgb"] = np.stack([columns, rows, numbers % 256], -1).astype(np.uint8)
    arrays["normal"] = np.stack([columns, rows, numbers % 256], -1).astype(np.uint8)
    arrays["shade"] = rows.astype(np.uint8)
    arrays["texture"] = (columns * 40).astype(np.uint16)
    arrays["edge"] = (rows * 40).astype(np.uint16)
    return write_dataset(root, arrays, TRAIN)
