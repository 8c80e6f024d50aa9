"""What several tests need: a checkout with its dataset prepared, made once a session and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import Checkout
from faults import Tally


@pytest.fixture(scope="session")
def prepared_checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose dataset is prepared and whose cells are not yet run. Not to be changed: see `checkout`."""
    made = Checkout.make(tmp_path_factory.mktemp("session") / "prepared")
    made.run("python", "-m", "cenbench", "data", "prepare", "synthrooms")
    return made


@pytest.fixture(scope="session")
def finished_checkout(prepared_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which `snakemake all_tables` ran to its end. Not to be changed: see `finished`."""
    root = tmp_path_factory.mktemp("session") / "finished"
    shutil.copytree(prepared_checkout.root, root)
    made = Checkout(root)
    made.snakemake("all_tables")
    return made


@pytest.fixture
def checkout(prepared_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the prepared checkout, free to be changed."""
    return Checkout(Path(shutil.copytree(prepared_checkout.root, tmp_path / "checkout")))


@pytest.fixture
def finished(finished_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished checkout, times of files kept, free to be changed."""
    return Checkout(Path(shutil.copytree(finished_checkout.root, tmp_path / "checkout", symlinks=True)))


@pytest.fixture
def faults() -> Iterator[Callable[[str], Tally]]:
    """Make a tally of a fault, by its name; at the end of the test it is written for `make test-faults`."""
    tallies: list[Tally] = []

    def tally(fault: str) -> Tally:
        tallies.append(Tally(fault))
        return tallies[-1]

    yield tally
    for each in tallies:
        each.report()
