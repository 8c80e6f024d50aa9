"""The device that is measured: its name, its versions, its dense peak rates, and waiting for its queue."""

from __future__ import annotations

import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import torch

# Dense peak rates in TFLOP/s from the vendor's data sheets, without sparsity: (name contains, bfloat16, TF32, float32).
PEAKS = (
    ("H100 PCIe", 756.0, 378.0, 51.0),
    ("H100 NVL", 835.0, 417.5, 60.0),
    ("H100", 989.4, 494.7, 66.9),
    ("H200 NVL", 835.0, 417.5, 60.0),
    ("H200", 989.4, 494.7, 66.9),
    ("A100", 312.0, 156.0, 19.5),
    ("L40S", 362.0, 183.0, 91.6),
    ("L4", 121.0, 60.0, 30.3),
)


def drain(device: torch.device) -> None:
    """Wait until the device has done everything it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def drained_clock_s(device: torch.device) -> float:
    """Seconds on a clock that is read only after the device has finished its work."""
    drain(device)
    return time.perf_counter()


def peak_tflops(name: str, precision: str) -> float | None:
    """Dense peak of the device in `precision` (float32 convolutions run as TF32 if allowed); None if not known."""
    for part, bfloat16, tf32, float32 in PEAKS:
        if part in name:
            return bfloat16 if precision == "bfloat16" else tf32 if torch.backends.cudnn.allow_tf32 else float32
    return None


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = [line for line in _cpu_info() if line.startswith("model name")]
    return model[0].split(":", 1)[1].strip() if model else platform.processor() or "CPU"


def facts(device: torch.device) -> dict[str, Any]:
    """What a reader needs to judge or repeat the numbers."""
    found: dict[str, Any] = {
        "device": device_name(device),
        "device_type": device.type,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    if device.type == "cuda":
        found |= {
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "memory_gib": round(torch.cuda.get_device_properties(device).total_memory / 2**30, 1),
            "tf32_convolutions": torch.backends.cudnn.allow_tf32,
            "peak_bfloat16_tflops": peak_tflops(device_name(device), "bfloat16"),
        }
    return found


def _driver() -> str:
    try:
        command = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


def _cpu_info() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
