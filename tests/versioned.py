"""A checkout under git and DVC, and a clone of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from checkout import REPOSITORY, Checkout


def put_under_version(checkout: Checkout, *, repro: bool = True) -> Checkout:
    """Put the checkout under git and DVC, run `dvc repro`, and commit."""
    shutil.copy(REPOSITORY / ".gitignore", checkout.root)
    checkout.run("git", "init", "-q")
    checkout.run("dvc", "init", "-q")
    checkout.run("dvc", "config", "core.analytics", "false")
    if repro:
        checkout.run("dvc", "repro")
    commit(checkout)
    return checkout


def commit(checkout: Checkout) -> None:
    checkout.run("git", "add", "-A")
    checkout.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x")


def clone(checkout: Checkout, root: Path) -> Checkout:
    """A clone as a colleague gets it, without data and results."""
    checkout.run("git", "clone", "-q", ".", str(root))
    return Checkout(root)
