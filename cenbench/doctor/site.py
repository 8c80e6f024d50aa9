"""All checks of a site for one preset, and the command to run next."""

from __future__ import annotations

from collections.abc import Sequence

from cenbench.doctor.check import Check, has_problem
from cenbench.doctor.device import device_checks
from cenbench.doctor.environment import environment_checks
from cenbench.doctor.filesystem import filesystem_checks
from cenbench.doctor.inputs import input_checks
from cenbench.doctor.profile_link import TARGET, profile_link_checks
from cenbench.doctor.slurm import read_profile, slurm_checks
from cenbench.matrix.plan import Plan
from cenbench.paths import Paths

PROFILE = "slurm"


def site_checks(plan: Plan, paths: Paths, search: str | None = None) -> list[Check]:
    """Every check, in the order in which to fix problems. `search` replaces PATH."""
    on_gpus = plan.cost.unit == "GPU"
    return [
        *environment_checks(paths.root),
        *device_checks(on_gpus, search),
        *profile_link_checks(paths.root),
        *slurm_checks(read_profile(paths.root / TARGET / "config.yaml"), on_gpus, search),
        *filesystem_checks(paths.results),
        *input_checks(plan, paths),
    ]


def next_command(preset: str, checks: Sequence[Check]) -> str:
    """The next command: the fix of the first problem, otherwise the run."""
    if has_problem(checks):
        first = next(check for check in checks if check.outcome == "problem")
        return f"{first.fix or first.found}; then: cenbench doctor --preset {preset}"
    if any(check.name == "partitions" for check in checks):
        return f"snakemake --profile {PROFILE} all_tables --config preset={preset}   (add -n to see the cost first)"
    return f"snakemake all_tables --config preset={preset}   (add -n to see the cost first)"
