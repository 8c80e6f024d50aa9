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
}
