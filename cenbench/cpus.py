"""How many CPUs this process may use: those allotted by the scheduler, the container or Slurm, not the machine's."""
# changes no number: how many processes share the work

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

_SLURM = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
"""The first of these that is set counts: CPUs of the task, or of the job on this node."""


def allotted_cpus(environment: Mapping[str, str] = os.environ, filesystem: Path = Path("/")) -> int:
    """The smallest of: CPUs this process may be scheduled on, the quota of its control groups, CPUs of its Slurm task.

    At least 1. `filesystem` is the folder in which /proc and /sys are.
    """
    limits = [_schedulable(), *_quotas(filesystem), *_of_slurm(environment)]
    return max(1, min(limits))


def limit_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell libraries that are not yet loaded about limits that they do not see: quotas and Slurm's CPUs."""
    allotted = allotted_cpus(environment)
    if allotted < _schedulable():
        environment.setdefault("OMP_NUM_THREADS", str(allotted))


def _schedulable() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on Linux
        return os.cpu_count() or 1


def _of_slurm(environment: Mapping[str, str]) -> list[int]:
    values = (environment.get(name, "") for name in _SLURM)
    return [int(value) for value in values if value.isascii() and value.isdigit() and int(value) > 0][:1]


def _quotas(filesystem: Path) -> Iterator[int]:
    """The CPU quota, rounded up, of every control group that this process is in, from its own up to the root."""
    for line in _read(filesystem / "proc/self/cgroup").splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        mounts = filesystem / "sys/fs/cgroup"
        if not controllers:  # version 2, alone or beside version 1
            for root in (mounts, mounts / "unified"):
                yield from (quota for folder in _upwards(root, group) if (quota := _quota(_read(folder / "cpu.max"))))
        elif "cpu" in controllers.split(","):
            for root in (mounts / "cpu", mounts / "cpu,cpuacct"):
                for folder in _upwards(root, group):
                    pair = f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
                    if quota := _quota(pair):
                        yield quota


def _upwards(root: Path, group: str) -> list[Path]:
    """The folders of a group and of those around it. In a container, the group's own may not exist."""
    folder = root / group.lstrip("/")
    return [parent for parent in (folder, *folder.parents) if parent.is_relative_to(root)]


def _quota(text: str) -> int | None:
    """CPUs in `quota period`, both in microseconds; None without a limit (`max`, or -1)."""
    words = text.split()
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words) or not int(words[1]):
        return None
    return max(1, math.ceil(int(words[0]) / int(words[1])))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
