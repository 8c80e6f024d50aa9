"""All checks of a site for one preset, and what to type after them."""

from __future__ import annotations

from collections.abc import Sequence

from cenbench.doctor.check import Check, has_problem
from cenbench.doctor.device import device_checks
from cenbench.doctor.environment import environment_checks
from cenbench.doctor.filesystem import filesystem_checks
from cenbench.doctor.inputs import input_checks
from cenbench.doctor.slurm import read_profile, slurm_checks
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths

PROFILE = "slurm"


def site_checks(plan: Plan, paths: Paths, search: str | None = None) -> list[Check]:
    """Every check, in the order in which one would fix them. `search` is like PATH, which it is by default."""
    on_gpus = plan.cost.unit == "GPU"
    return [
        *environment_checks(paths.root),
        *device_checks(on_gpus, search),
        *slurm_checks(read_profile(paths.root / PROFILE / "config.yaml"), on_gpus, search),
        *filesystem_checks(paths.results),
        *input_checks(plan, paths),
    ]


def next_command(preset: str, checks: Sequence[Check]) -> str:
    """The next thing to type: the first fix of a problem, else the run."""
    if has_problem(checks):
        first = next(check for check in checks if check.outcome == "problem")
        return f"{first.fix or first.found}; then: cenbench doctor --preset {preset}"
    if any(check.name == "partitions" for check in checks):
        return (
            f"snakemake --profile {PROFILE} all_tables --config preset={preset}   (with -n first: what it would cost)"
        )
    return f"snakemake all_tables --config preset={preset}   (with -n first: what it would cost)"
