"""A Slurm cluster for the tests, and a checkout whose commands use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from checkout import Checkout
from login_node import DETERMINISTIC, LoginNode
from slurm_cluster import Cluster, missing, temporary_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes with one GPU each, shared by all tests of a session."""
    if absent := missing():
        pytest.skip(f"Slurm is not installed ({', '.join(absent)}): apt-get install slurm-wlm munge")
    with temporary_cluster() as made:
        yield made


@pytest.fixture
def login_node(cluster: Cluster, checkout: Checkout) -> Iterator[LoginNode]:
    """A checkout on the cluster with its dataset prepared; jobs that a test leaves in the queue are removed."""
    (checkout.root / "slurm").symlink_to("profiles/slurm")
    made = LoginNode(checkout.root, cluster)
    yield made
    made.leave()


@pytest.fixture(scope="session")
def undisturbed(prepared_checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an undisturbed local run of the `long` cells."""
    root = tmp_path_factory.mktemp("session") / "undisturbed"
    shutil.copytree(prepared_checkout.root, root)
    made = Checkout(root)
    make_long(made)
    made.snakemake("all_tables")
    return made.bytes_of(*DETERMINISTIC)


@pytest.fixture
def long(login_node: LoginNode) -> LoginNode:
    """A checkout with two cells that train long enough to be disturbed, and a short one."""
    make_long(login_node)
    return login_node


def make_long(checkout: Checkout) -> None:
    checkout.edit("params/presets/demo.yaml", "{epochs: 3, lr_encoder", "{epochs: 100, lr_encoder")
