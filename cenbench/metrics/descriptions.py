"""What each metric is called, its unit, and which way is better. Torch-free: reports read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """How a metric is shown."""

    title: str
    unit: str
    better: Literal["higher", "lower"]
    decimals: int


METRICS: dict[str, Metric] = {
    "miou_pct": Metric("Mean IoU", "%", "higher", 1),
    "pixel_acc_pct": Metric("Pixel accuracy", "%", "higher", 1),
    "mean_acc_pct": Metric("Mean accuracy", "%", "higher", 1),
    "fid": Metric("FID", "", "lower", 2),
    "kid_x100": Metric("KID \N{MULTIPLICATION SIGN}100", "", "lower", 2),
    "mae_x10": Metric("MAE \N{MULTIPLICATION SIGN}10", "", "lower", 2),
    "rmse_x10": Metric("RMSE \N{MULTIPLICATION SIGN}10", "", "lower", 2),
    "mse_x10": Metric("MSE \N{MULTIPLICATION SIGN}10", "", "lower", 2),
    "params_m": Metric("Parameters", "M", "lower", 2),
    "fusion_params_m": Metric("for fusion", "M", "lower", 2),
    "gflops": Metric("GFLOP", "", "lower", 2),
}
COSTS = ("params_m", "fusion_params_m", "gflops")
"""Metrics that are counted on the network, not measured on data."""
