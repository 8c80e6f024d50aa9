"""All tables through the slurm profile on a real Slurm, one cell preempted: the bytes of an undisturbed local run."""

from __future__ import annotations

import shutil

import pytest
from login_node import RETRIED, LoginNode, fault
from slurm_cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.xdist_group("cluster")]


def test_every_table_is_made_and_a_preempted_cell_resumes(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    """A job of a higher partition takes the node: SIGTERM, then the partition's grace time to save the state."""
    shutil.rmtree(long.root / "data")
    with fault("preempted by another partition's job"):
        controller = long.controller()
        cell = long.training()
        urgent = ("--partition=urgent", "--gres=gpu:1", f"--nodelist={long.job_of(cell).node}", "--mem=100")
        cluster("sbatch", *urgent, "--output=/dev/null", "--wrap=sleep 5")
        assert long.finished(controller) == undisturbed
        assert long.continued_where_it_stopped(cell)
        assert RETRIED not in long.output, "no retry is used up"
    assert long.output.count("has been submitted with SLURM jobid") == 4, "a dataset, three cells; tables are made here"
    assert long.planned() == {}
