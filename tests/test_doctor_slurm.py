"""The doctor's checks of Slurm: commands, partitions and GPU types as `sinfo` prints them, and the profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checkout import REPOSITORY

from cenbench.doctor.slurm import (
    NEEDED,
    Partition,
    asked_for,
    check_partitions,
    check_profile,
    read_gpus,
    read_partitions,
    read_profile,
    slurm_checks,
)

SINFO = """\
cpu*|up|2-00:00:00|40|(null)
gpu|up|1-00:00:00|4|gpu:a100:4(S:0-1)
gpu|up|1-00:00:00|8|gpu:a100:8(S:0,1),mps:400,gpu:h100:2(IDX:0-1)
old|down|infinite|2|gpu:4
"""
GPU = Partition("gpu", False, True, 12, {"a100": 8, "h100": 2})
CPU = Partition("cpu", True, True, 40)


def commands(folder: Path, **scripts: str) -> str:
    """Write fake commands, name -> shell script, into a folder that is searched like PATH."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def slurm(folder: Path, sinfo: str = SINFO) -> str:
    (folder / "sinfo.txt").write_text(sinfo)
    others = {name: "echo slurm 22.05.8" for name in NEEDED if name != "sinfo"}
    script = f'[ "$1" = --version ] && echo slurm 22.05.8 || /bin/cat {folder}/sinfo.txt'
    return commands(folder, sinfo=script, **others)


def test_a_site_without_slurm_is_not_a_problem(tmp_path: Path) -> None:
    (check,) = slurm_checks({}, needed=True, search=str(tmp_path))
    assert (check.outcome, "no Slurm here: use the default profile" in check.found) == ("ok", True)


def test_a_site_with_gpus(tmp_path: Path) -> None:
    profile = {"default-resources": ["slurm_partition=gpu", "mem_mb=16000"]}
    checks = slurm_checks(profile, needed=True, search=slurm(tmp_path))
    assert [(check.name, check.outcome) for check in checks] == [
        ("slurm", "ok"),
        ("partitions", "ok"),
        ("profile", "ok"),
    ]
    assert "slurm 22.05.8" in checks[0].found
    assert checks[1].found == "cpu (default): 40 nodes, no GPU; gpu: 12 nodes, 8 a100 per node, 2 h100 per node"


def test_partitions_are_read_and_other_lines_ignored() -> None:
    old = Partition("old", False, False, 2, {"": 4})
    assert read_partitions(SINFO) == [CPU, GPU, old]
    assert read_partitions("") == []
    assert (
        read_partitions("slurm_load_partitions: Unable\n\n|||\na|up|1:00|many|gpu:1\nPARTITION|AVAIL|L|NODES|GRES")
        == []
    )


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ("(null)", {}),
        ("", {}),
        ("gpu", {"": 1}),
        ("gpu:2", {"": 2}),
        ("gpu:a100", {"a100": 1}),
        ("gpu:a100:4", {"a100": 4}),
        ("gpu:3090:2", {"3090": 2}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100:4(S:0,1),mps:a100:400(S:0)", {"a100": 4}),
        ("gpu:1g.5gb:7,gpu:3g.20gb:2", {"1g.5gb": 7, "3g.20gb": 2}),
        ("gpu:tesla:1,gpu:tesla:3", {"tesla": 4}),
        ("craynetwork:4,gpu:2(IDX:0-1),bandwidth:lustre:no_consume:4G", {"": 2}),
        ("gpu:a:b:c:4", {}),
    ],
)
def test_gpu_types(gres: str, expected: dict[str, int]) -> None:
    assert read_gpus(gres) == expected


@pytest.mark.parametrize(("needed", "outcome"), [(True, "problem"), (False, "warning")])
@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1", "Unable to contact"),
        ("exit 3", "exit status 3"),
    ],
)
def test_a_controller_that_does_not_answer(tmp_path: Path, needed: bool, outcome: str, script: str, found: str) -> None:
    (check,) = slurm_checks({}, needed=needed, search=commands(Path(slurm(tmp_path)), sinfo=script))
    assert check.outcome == outcome
    assert found in check.found


def test_a_missing_command_is_named(tmp_path: Path) -> None:
    slurm(tmp_path)
    (tmp_path / "sbatch").unlink()
    (check,) = slurm_checks({}, needed=True, search=str(tmp_path))
    assert (check.outcome, "sbatch cannot be found" in check.found) == ("problem", True)


def test_partitions_without_gpus_or_down() -> None:
    assert check_partitions([CPU]).outcome == "warning"
    assert check_partitions([Partition("gpu", True, False, 1, {"": 1})]).outcome == "problem"
    assert check_partitions([]).outcome == "problem"
    assert check_partitions([CPU, GPU]).outcome == "ok"


@pytest.mark.parametrize(
    ("profile", "outcome", "found"),
    [
        ({}, "warning", "partition cpu, the default, which has no GPU"),
        ({"default-resources": {"slurm_partition": "'gpu'"}}, "ok", "partition gpu"),
        ({"default-resources": ["slurm_partition=gpux"]}, "problem", "'gpux'; the site has: cpu, gpu"),
        ({"set-resources": {"cell": {"slurm_partition": "gpu", "gres": "'gpu:h100:1'"}}}, "ok", "GPU h100"),
        ({"set-resources": ["cell:slurm_partition=gpu", "cell:gres=gpu:v100:1"]}, "problem", "types are: a100, h100"),
    ],
)
def test_the_profile_against_the_site(profile: dict[str, Any], outcome: str, found: str) -> None:
    check = check_profile(profile, [CPU, GPU])
    assert (check.outcome, found in check.found) == (outcome, True), check


def test_without_a_default_partition_the_profile_must_name_one() -> None:
    assert check_profile({}, [GPU]).outcome == "problem"


def test_the_repositorys_profile_can_be_read() -> None:
    profile = read_profile(REPOSITORY / "slurm" / "config.yaml")
    assert profile["executor"] == "slurm"
    assert asked_for(profile) == (None, None)
    assert read_profile(REPOSITORY / "absent.yaml") == {}
