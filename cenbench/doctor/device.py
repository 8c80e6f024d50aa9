"""Whether torch and the GPU of this node fit each other. Torch is asked in a process of its own."""

from __future__ import annotations

import json
import sys
from typing import Any

from cenbench.doctor.check import Check
from cenbench.doctor.command import Said, ask, run

PROBE = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
names = [torch.cuda.get_device_name(number) for number in range(count)]
if count:
    (torch.ones(8, 8, device="cuda") @ torch.ones(8, 8, device="cuda")).sum().item()
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "devices": names}))
"""


def device_checks(needs_gpu: bool, search: str | None = None) -> list[Check]:
    """torch against the driver; `needs_gpu` where the preset is reckoned in GPU-hours."""
    driver = ask("nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader", search=search)
    return [check_device(run([sys.executable, "-c", PROBE], timeout_s=300), driver, needs_gpu)]


def check_device(torch: Said, driver: Said | None, needs_gpu: bool) -> Check:
    """From what torch said (`PROBE`) and what nvidia-smi said (None: no such command)."""
    cards = driver.output.strip().splitlines() if driver is not None and driver.status == 0 else []
    told = _told(torch)
    if told is None:
        fix = "make env" if not cards else "update the driver, or install the torch build for this driver's CUDA"
        return Check("torch", "problem", f"torch does not work here: {torch.why}", fix)
    build = f"torch {told['torch']}, " + (f"built for CUDA {told['cuda']}" if told["cuda"] else "a build without CUDA")
    if told["devices"]:
        drivers = f"; driver {cards[0].split(',')[0]}" if cards else ""
        return Check("torch", "ok", f"{build}; {_counted(told['devices'])}{drivers}")
    if cards:
        names = _counted([line.split(",", 1)[-1].strip() for line in cards])
        found = f"{build}, which cannot use this node's {names} (driver {cards[0].split(',')[0]})"
        fix = "update the driver to one for that CUDA" if told["cuda"] else "install torch's CUDA build: make env"
        return Check("torch", "problem", found, fix)
    found = f"{build}; CPU only: no GPU on this node"
    if needs_gpu:
        fix = "right for a login node; run `srun --gpus=1 cenbench doctor` to see a GPU node"
        return Check("torch", "warning", f"{found}, and the preset is meant for GPUs", fix)
    return Check("torch", "ok", found)


def _told(torch: Said) -> dict[str, Any] | None:
    if torch.status != 0:
        return None
    try:
        told = json.loads(torch.output.strip().splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        return None
    return told if isinstance(told, dict) and {"torch", "cuda", "devices"} <= told.keys() else None


def _counted(names: list[str]) -> str:
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
