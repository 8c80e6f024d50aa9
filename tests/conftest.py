"""Fixtures that several tests share: a checkout with its dataset prepared, made once per session and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from checkout import Checkout
from faults import Tally
from versioned import put_under_version

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


@pytest.fixture(scope="session")
def versioned_checkout(finished_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished checkout under git and DVC, after `dvc repro` and a commit. Do not change it: use `versioned`."""
    root = tmp_path_factory.mktemp("session") / "versioned"
    shutil.copytree(finished_checkout.root, root, symlinks=True)
    return put_under_version(Checkout(root))


@pytest.fixture
def versioned(versioned_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the versioned checkout, with its file times, that the test may change."""
    return Checkout(Path(shutil.copytree(versioned_checkout.root, tmp_path / "checkout", symlinks=True)))


TALLIES = pytest.StashKey[list[Tally]]()


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Callable[[str], Tally]:
    """Make a tally for a named fault, for `make test-faults`."""
    tallies: list[Tally] = request.node.stash.setdefault(TALLIES, [])

    def tally(fault: str) -> Tally:
        tallies.append(Tally(fault))
        return tallies[-1]

    return tally


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write what `make test-faults` adds up: the tallies of a test, or the test itself as one try."""
    report = yield
    if report.skipped or (report.passed and report.when != "call"):
        return report
    name = f"{item.path.name}::{item.name.partition('[')[0]}"
    tallies = item.stash.get(TALLIES, []) if report.when == "call" else []
    tallies = tallies or [Tally("", 1, int(report.passed))]
    for tally in tallies:
        tally.report(name)
    return report
