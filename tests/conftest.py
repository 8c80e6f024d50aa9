"""Fixtures that several tests share: a checkout with its dataset prepared, made once per session and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import Checkout
from faults import Tally

LONG = "test_train_killed.py"
"""Minutes in one process. First in the order, so that the other process runs everything else beside it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != LONG)


@pytest.fixture(scope="session")
def prepared_checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose dataset is prepared and whose cells have not run. Do not change it: use `checkout`."""
    made = Checkout.make(tmp_path_factory.mktemp("session") / "prepared")
    made.run("python", "-m", "cenbench", "data", "prepare", "synthrooms")
    return made


@pytest.fixture(scope="session")
def finished_checkout(prepared_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which `snakemake all_tables` has finished. Do not change it: use `finished`."""
    root = tmp_path_factory.mktemp("session") / "finished"
    shutil.copytree(prepared_checkout.root, root)
    made = Checkout(root)
    made.snakemake("all_tables")
    return made


@pytest.fixture
def checkout(prepared_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the prepared checkout that the test may change."""
    return Checkout(Path(shutil.copytree(prepared_checkout.root, tmp_path / "checkout")))


@pytest.fixture
def finished(finished_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished checkout, with its file times, that the test may change."""
    return Checkout(Path(shutil.copytree(finished_checkout.root, tmp_path / "checkout", symlinks=True)))


@pytest.fixture
def faults() -> Iterator[Callable[[str], Tally]]:
    """Make a tally for a named fault; at the end of the test it is written for `make test-faults`."""
    tallies: list[Tally] = []

    def tally(fault: str) -> Tally:
        tallies.append(Tally(fault))
        return tallies[-1]

    yield tally
    for made in tallies:
        made.report()
