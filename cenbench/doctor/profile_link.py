"""Checks that ./slurm is the link to profiles/slurm, through which Snakemake finds the profile."""

from __future__ import annotations

from pathlib import Path

from cenbench.doctor.check import Check

LINK, TARGET = "slurm", "profiles/slurm"
_LINK_AGAIN = f"git config core.symlinks true && rm {LINK} && git checkout -- {LINK}"
FIX = f"snakemake --profile {TARGET} ..., or: {_LINK_AGAIN}"
"""Its first half also works on a file system without links."""


def profile_link_checks(root: Path) -> list[Check]:
    """A warning if git, or whatever unpacked the checkout, wrote the link as a text file; otherwise nothing."""
    found = _problem(root)
    return [] if found is None else [Check("slurm link", "warning", found, FIX)]


def profile_link_note(root: Path) -> str | None:
    """For the Snakefile: the problem and its fix in one line; None if there is none."""
    found = _problem(root)
    return None if found is None else f"{found}; for Slurm: {FIX}"


def _problem(root: Path) -> str | None:
    if not (root / LINK).is_file():
        return None
    return f"./{LINK} is a text file, not a link to {TARGET}: git did not create links here (core.symlinks=false)"
