"""Checks that torch can use this node's GPUs. Torch is imported in a separate process."""

from __future__ import annotations

import json
import sys
from typing import Any

from cenbench.doctor.check import Check
from cenbench.doctor.command import Output, ask, run

PROBE = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
names = [torch.cuda.get_device_name(number) for number in range(count)]
if count:
    (torch.ones(8, 8, device="cuda") @ torch.ones(8, 8, device="cuda")).sum().item()
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "devices": names}))
"""


def device_checks(needs_gpu: bool, search: str | None = None) -> list[Check]:
    """Compare torch with the driver. `needs_gpu`: the preset's cost is in GPU-hours."""
    driver = ask("nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader", search=search)
    return [check_device(run([sys.executable, "-c", PROBE], timeout_s=300), driver, needs_gpu)]


def check_device(torch: Output, driver: Output | None, needs_gpu: bool) -> Check:
    """The check, from the output of `PROBE` and of nvidia-smi (None: no such command)."""
    cards = driver.output.strip().splitlines() if driver is not None and driver.status == 0 else []
    answer = _answer(torch)
    if answer is None:
        fix = "make env" if not cards else "update the driver, or install the torch build for this driver's CUDA"
        return Check("torch", "problem", f"torch does not work here: {torch.why}", fix)
    build = f"torch {answer['torch']}, " + (
        f"built for CUDA {answer['cuda']}" if answer["cuda"] else "a build without CUDA"
    )
    if answer["devices"]:
        drivers = f"; driver {cards[0].split(',')[0]}" if cards else ""
        return Check("torch", "ok", f"{build}; {_count(answer['devices'])}{drivers}")
    if cards:
        names = _count([line.split(",", 1)[-1].strip() for line in cards])
        found = f"{build}, which cannot use this node's {names} (driver {cards[0].split(',')[0]})"
        fix = "update the driver to one for that CUDA" if answer["cuda"] else "install torch's CUDA build: make env"
        return Check("torch", "problem", found, fix)
    found = f"{build}; CPU only: no GPU on this node"
    if needs_gpu:
        fix = "expected on a login node; to check a GPU node: srun --gpus=1 cenbench doctor"
        return Check("torch", "warning", f"{found}, and the preset is meant for GPUs", fix)
    return Check("torch", "ok", found)


def _answer(torch: Output) -> dict[str, Any] | None:
    if torch.status != 0:
        return None
    try:
        answer = json.loads(torch.output.strip().splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        return None
    return answer if isinstance(answer, dict) and {"torch", "cuda", "devices"} <= answer.keys() else None


def _count(names: list[str]) -> str:
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
