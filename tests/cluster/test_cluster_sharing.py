"""Translation cells share a GPU on a real Slurm whose GPUs are divided; segmentation cells get one each."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from login_node import LoginNode
from slurm_cluster import Cluster, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.xdist_group("cluster")]


def test_two_translation_cells_train_on_one_gpu_and_two_segmentation_cells_do_not(
    login_node: LoginNode, cluster: Cluster
) -> None:
    """All jobs are sent to a node with two cores and one GPU."""
    login_node.edit("params/presets/demo.yaml", "seeds: [1]", "seeds: [1, 2]")
    sharing = replace(login_node, knobs=(("TRANSLATION_GRES", "shard:1"), ("SBATCH", "--nodelist=n1 --hold")))
    controller = sharing.controller()
    wait_for(lambda: len(requested(cluster)) == 6 or controller.poll() is not None, 200, "six jobs in the queue")
    assert controller.poll() is None, sharing.output
    jobs = requested(cluster)
    translation = {job for job, (cell, _) in jobs.items() if "-to-semantic." not in cell}
    assert {jobs[job][1] for job in translation} == {"gres:shard:1"}
    assert {gres for job, (_, gres) in jobs.items() if job not in translation} == {"gres:gpu:1"}
    assert len(translation) == 2

    cluster("scontrol", "release", ",".join(translation))
    wait_for(lambda: running(cluster) == translation, 120, "both translation cells at the same time")
    wait_for(lambda: not translation & requested(cluster).keys(), 200, "their end")
    for job in translation:
        assert (login_node.root / "results" / "cells" / jobs[job][0] / "metrics.json").exists(), sharing.output

    cluster("scontrol", "release", ",".join(jobs.keys() - translation))
    wait_for(lambda: running(cluster), 60, "a segmentation cell")
    for _ in range(5):
        time.sleep(1)
        assert len(running(cluster)) <= 1, "a segmentation cell has the GPU to itself"


def requested(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Job -> its cell's id, and the generic resources it requests on its node."""
    lines = cluster("squeue", "--noheader", "--format=%i|%k|%b").splitlines()
    rows = (line.split("|") for line in lines)
    rule = "rule_cell_wildcards_"
    return {job: (comment.removeprefix(rule), gres) for job, comment, gres in rows if comment.startswith(rule)}


def running(cluster: Cluster) -> set[str]:
    return {job.id for job in cluster.jobs() if job.state == "RUNNING"}
