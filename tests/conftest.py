"""Fixtures that several tests share: a checkout with its dataset prepared, made once per session and copied."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from checkout import Checkout, copy_code_cache
from faults import Tally
from versioned import put_under_version

from cenbench.file_lock import file_lock
from cenbench.matrix.plan import load_plan
from cenbench.records.digests import evaluation_code, training_code

# Processes that tests start compile the checkout's modules once instead of at every start, as they do for a user.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONG_FIRST = (
    "test_train_killed.py",
    "test_tutorials.py",
    "test_pipeline_dry_run.py",
    "test_dvc.py",
    "test_dvc_remote.py",
    "test_pipeline_interrupted.py",
    "test_pipeline_reruns.py",
    "test_robustness.py",
    "test_records_verify.py",
)
"""The slowest files. They are run first, so that no process ends with a long test while the other one idles."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


Make = Callable[[Path], object]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Make], Checkout]:
    """Makes a checkout in the first test process that needs it; all processes get a copy, with its file times."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Make) -> Checkout:
        root, done = shared / f"shared-{name}", shared / f"shared-{name}.done"
        with file_lock(shared / f"shared-{name}.lock"):
            if not done.exists():
                shutil.rmtree(root, ignore_errors=True)
                make(root)
                done.touch()
        return Checkout(Path(shutil.copytree(root, base / "session" / name, symlinks=True)))

    return made


def prepare(root: Path) -> None:
    made = Checkout.make(root)
    for cell in load_plan(root / "params", "demo").cells.values():
        training_code(cell), evaluation_code(cell)
    copy_code_cache(root)
    made.run("python", "-m", "cenbench", "data", "prepare", "synthrooms")


@pytest.fixture(scope="session")
def prepared_checkout(made_once: Callable[[str, Make], Checkout]) -> Checkout:
    """A checkout whose dataset is prepared and whose cells have not run. Do not change it: use `checkout`."""
    return made_once("prepared", prepare)


@pytest.fixture(scope="session")
def finished_checkout(prepared_checkout: Checkout, made_once: Callable[[str, Make], Checkout]) -> Checkout:
    """A checkout in which `snakemake all_tables` has finished. Do not change it: use `finished`."""

    def finish(root: Path) -> None:
        shutil.copytree(prepared_checkout.root, root, symlinks=True)
        Checkout(root).snakemake("all_tables")

    return made_once("finished", finish)


@pytest.fixture
def checkout(prepared_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the prepared checkout that the test may change."""
    return Checkout(Path(shutil.copytree(prepared_checkout.root, tmp_path / "checkout")))


@pytest.fixture
def finished(finished_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished checkout, with its file times, that the test may change."""
    return Checkout(Path(shutil.copytree(finished_checkout.root, tmp_path / "checkout", symlinks=True)))


@pytest.fixture(scope="session")
def versioned_checkout(finished_checkout: Checkout, made_once: Callable[[str, Make], Checkout]) -> Checkout:
    """A finished checkout under git and DVC, after `dvc repro` and a commit. Do not change it: use `versioned`."""

    def version(root: Path) -> None:
        shutil.copytree(finished_checkout.root, root, symlinks=True)
        put_under_version(Checkout(root))

    return made_once("versioned", version)


@pytest.fixture
def versioned(versioned_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the versioned checkout, with its file times, that the test may change."""
    return Checkout(Path(shutil.copytree(versioned_checkout.root, tmp_path / "checkout", symlinks=True)))


USUAL_COLLECTION = gc.get_threshold()


@pytest.fixture(autouse=True)
def usual_collection() -> Generator[None]:
    """Commands that a test runs in its own process look for reference cycles rarely; tests of memory need the usual."""
    yield
    gc.set_threshold(*USUAL_COLLECTION)


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
