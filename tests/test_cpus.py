"""The CPUs allotted to a process (the least of affinity, quotas of its control groups and its Slurm task), and GPUs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cenbench.cpus import allotted_cpus, limit_threads
from cenbench.gpus import has_gpu


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 CPUs, all of which this process may be scheduled on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)


def filesystem(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for path, text in {"proc/self/cgroup": cgroup, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def version_1(folder: str, quota: str) -> dict[str, str]:
    files = {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": "100000"}
    return {f"sys/fs/cgroup/{folder}/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("cgroup", "files", "cpus"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "garbage\n"}, 64),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "300000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 100000"}, 3),
        ("0::/gone/from/here\n", {"sys/fs/cgroup/cpu.max": "400000 100000"}, 4),
        ("0::/../..\n", {"sys/fs/cgroup/cpu.max": "400000 100000"}, 4),
        ("4:cpu,cpuacct:/a\n", version_1("cpu,cpuacct/a", "500000"), 5),
        ("1:cpu:/\n0::/\n", version_1("cpu", "-1"), 64),
        ("nonsense\n", {}, 64),
        ("", {}, 64),
    ],
)  # fmt: skip
def test_quotas_of_control_groups(tmp_path: Path, cgroup: str, files: dict[str, str], cpus: int) -> None:
    assert allotted_cpus({}, filesystem(tmp_path, cgroup, files)) == cpus


@pytest.mark.parametrize(
    ("environment", "cpus"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "32"}, 4),
        ({"SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"SLURM_CPUS_ON_NODE": "128"}, 64),
        ({"SLURM_CPUS_PER_TASK": "4(x2)"}, 64),
        ({"SLURM_CPUS_PER_TASK": "0"}, 64),
    ],
)
def test_cpus_of_a_slurm_task(tmp_path: Path, environment: dict[str, str], cpus: int) -> None:
    assert allotted_cpus(environment, tmp_path) == cpus


def test_affinity_counts_where_it_is_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert allotted_cpus({"SLURM_CPUS_ON_NODE": "8"}, tmp_path) == 1
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert allotted_cpus({}, tmp_path) == 64


def test_threads_follow_a_limit_that_libraries_do_not_see() -> None:
    limited = {"SLURM_CPUS_PER_TASK": "1"}
    limit_threads(limited)
    assert limited["OMP_NUM_THREADS"] == "1"
    chosen = {"SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "3"}
    limit_threads(chosen)
    assert chosen["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), False),
        (("dev/nvidiactl", "dev/nvidia-uvm"), False),
        (("dev/nvidia0",), True),
        (("dev/nvidia1",), True),  # in a container that was given another GPU than the first
        (("dev/dxg",), False),
        (("dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"), True),
    ],
)
def test_a_gpu_is_found_by_its_files(tmp_path: Path, names: tuple[str, ...], found: bool) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert has_gpu(tmp_path) is found
