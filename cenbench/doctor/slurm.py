"""Checks Slurm: its commands, its partitions and GPUs, and that the profile asks for ones that exist."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cenbench.doctor.check import Check, Outcome
from cenbench.doctor.command import ask

NEEDED = ("sbatch", "squeue", "scancel", "sinfo")
FORMAT = "%P|%a|%l|%D|%G"
"""Partition, whether it is up, time limit, nodes, generic resources: one line per kind of node."""


@dataclass(frozen=True)
class Partition:
    """A partition as `sinfo` lists it; `gpus` is GPU type -> number per node ('' if Slurm knows no type)."""

    name: str
    is_default: bool
    is_up: bool
    nodes: int
    gpus: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        gpus = ", ".join(f"{count} {kind or 'GPU'} per node" for kind, count in self.gpus.items()) or "no GPU"
        return f"{self.name}{' (default)' if self.is_default else ''}: {self.nodes} nodes, {gpus}"


def slurm_checks(profile: Mapping[str, Any], needed: bool, search: str | None = None) -> list[Check]:
    """Commands, partitions, and the profile against them; a single check without Slurm.

    A Slurm that does not answer is a problem if the preset is `needed` to run on it, otherwise a warning.
    """
    outcome: Outcome = "problem" if needed else "warning"
    versions = {name: ask(name, "--version", search=search) for name in NEEDED}
    absent = [name for name, output in versions.items() if output is None]
    if len(absent) == len(NEEDED):
        return [Check("slurm", "ok", "no Slurm here: use the default profile (snakemake all_tables)")]
    if absent:
        return [Check("slurm", outcome, f"Slurm is installed, but {', '.join(absent)} cannot be found", "fix PATH")]
    printed = (output.output.strip() for output in versions.values() if output)
    version = next(filter(None, printed), "slurm")
    listed = ask("sinfo", "--noheader", "-o", FORMAT, search=search)
    if listed is None or listed.status != 0:
        why = listed.why if listed else "no sinfo"
        fix = "ask the site's support whether the controller is up; without Slurm: snakemake all_tables"
        return [Check("slurm", outcome, f"{version} is installed, but sinfo failed: {why}", fix)]
    partitions = read_partitions(listed.output)
    return [
        Check("slurm", "ok", f"{version}; {', '.join(NEEDED)} found"),
        check_partitions(partitions),
        check_profile(profile, partitions),
    ]


def read_partitions(text: str) -> list[Partition]:
    """The partitions in the output of `sinfo --noheader -o FORMAT`, one each; lines of another form are ignored."""
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        columns = [column.strip() for column in line.split("|", 4)]
        if len(columns) != 5 or not columns[0] or not columns[3].isdecimal():
            continue
        name, is_default = columns[0].rstrip("*"), columns[0].endswith("*")
        before = found.get(name, Partition(name, is_default, False, 0))
        gpus = {**before.gpus}
        for kind, count in read_gpus(columns[4]).items():
            gpus[kind] = max(count, gpus.get(kind, 0))
        is_up = before.is_up or columns[1] == "up"
        found[name] = Partition(name, is_default or before.is_default, is_up, before.nodes + int(columns[3]), gpus)
    return list(found.values())


def read_gpus(gres: str) -> dict[str, int]:
    """GPU type -> count in a gres string: `gpu:a100:4(S:0-1),mps:400` is {'a100': 4}, `gpu:2` is {'': 2}."""
    counted: dict[str, int] = {}
    for part in re.split(r",(?![^(]*\))", gres):
        name, *rest = part.split("(")[0].strip().split(":")
        if name != "gpu" or len(rest) > 2:
            continue
        count = int(rest.pop()) if rest and rest[-1].isdecimal() else 1
        kind = rest[0] if rest else ""
        counted[kind] = counted.get(kind, 0) + count
    return counted


def check_partitions(partitions: Sequence[Partition]) -> Check:
    """Check that a partition with GPUs is up."""
    listed = "; ".join(str(partition) for partition in partitions if partition.is_up)
    if not listed:
        return Check(
            "partitions", "problem", "no partition is up", "ask the site's support; sinfo shows the partitions"
        )
    if not any(partition.gpus for partition in partitions if partition.is_up):
        return Check("partitions", "warning", listed, "no partition has GPUs: cells would train on CPUs, slowly")
    return Check("partitions", "ok", listed)


def check_profile(profile: Mapping[str, Any], partitions: Sequence[Partition]) -> Check:
    """Check that the profile's partition exists and has GPUs of the type the profile asks for."""
    asked, kind = asked_for(profile)
    names = ", ".join(partition.name for partition in partitions)
    edit = "set the partition in profiles/slurm/config.yaml (docs/cluster.md)"
    chosen = next((one for one in partitions if (one.name == asked if asked else one.is_default)), None)
    if chosen is None and asked is None:
        return Check("profile", "problem", f"it names no partition, and the site has no default: {names}", edit)
    if chosen is None:
        return Check("profile", "problem", f"it asks for partition {asked!r}; the site has: {names}", edit)
    named = f"partition {chosen.name}{'' if asked else ', the default'}"
    if kind and kind not in chosen.gpus:
        has = ", ".join(filter(None, chosen.gpus)) or "unnamed"
        return Check("profile", "problem", f"it asks for GPU {kind!r} in {named}, whose types are: {has}", edit)
    if not chosen.gpus:
        others = ", ".join(partition.name for partition in partitions if partition.gpus)
        fix = f"{edit}; with GPUs: {others}" if others else None
        return Check("profile", "warning", f"it uses {named}, which has no GPU", fix)
    return Check("profile", "ok", f"it uses {named}{f', GPU {kind}' if kind else ''}")


def asked_for(profile: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The partition and the GPU type that the profile asks for; None if it leaves them open."""
    resources = {**_resources(profile.get("default-resources")), **_cell(profile.get("set-resources"))}
    partition = str(resources.get("slurm_partition") or "").strip("'\" ") or None
    gpus = read_gpus(str(resources.get("gres") or "").strip("'\" "))
    return partition, next(filter(None, gpus), None)


def _cell(settings: Any) -> dict[str, Any]:
    """`set-resources` of rule `cell`, from a mapping or a list of `cell:name=value`."""
    if isinstance(settings, Mapping):
        return _resources(settings.get("cell"))
    return _resources([setting[5:] for setting in settings or () if str(setting).startswith("cell:")])


def _resources(settings: Any) -> dict[str, Any]:
    """Resources from a mapping or a list of `name=value`."""
    if isinstance(settings, Mapping):
        return dict(settings)
    return dict(str(setting).split("=", 1) for setting in settings or () if "=" in str(setting))


def read_profile(path: Path) -> dict[str, Any]:
    """The profile as Snakemake reads it: YAML, with YTE if it asks for that. Empty if there is no profile."""
    if not path.exists():
        return {}
    import yte  # type: ignore[import-untyped]  # comes with Snakemake

    with path.open(encoding="utf-8") as file:
        return dict(yte.process_yaml(file, require_use_yte=True) or {})
