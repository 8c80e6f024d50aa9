"""Faults on a real Slurm while cells train: nothing is lost, and the bytes equal those of an undisturbed run."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
from login_node import COMMAND, RETRIED, LoginNode, fault
from slurm_cluster import Cluster, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("cluster")]


def test_a_requeued_cell_saves_its_state_and_resumes(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    with fault("requeued by an administrator"):
        controller = long.controller()
        cell = long.training()
        cluster("scontrol", "requeue", long.job_of(cell).id)
        assert long.finished(controller) == undisturbed
        assert long.continued_where_it_stopped(cell)
        assert RETRIED not in long.output


def test_the_state_is_saved_before_the_time_limit(long: LoginNode, undisturbed: dict[str, bytes]) -> None:
    """A suspended cell runs late; before its limit Slurm wakes it (SIGCONT) and sends SIGTERM."""
    with fault("time limit reached"):
        hurried = replace(long, knobs=(("RUNTIME_MIN", "3"), ("SBATCH", "--signal=TERM@100")))
        controller = hurried.controller()
        cell = hurried.training()
        hurried.process_of(cell).suspend()
        wait_for(lambda: "stopped at step" in hurried.log(cell), 150, "SIGTERM, 100 s ahead of three minutes")
        assert hurried.finished(controller) == undisturbed
        assert hurried.continued_where_it_stopped(cell)
        assert RETRIED not in long.output


def test_jobs_of_a_killed_controller_are_waited_for(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    with fault("controller killed (kill -9), the same command again"):
        controller = long.controller()
        cell = long.training()
        left = long.job_of(cell).id
        os.kill(controller.pid, signal.SIGKILL)
        controller.wait()
        again = long.controller()
        wait_for(lambda: waits_for(cluster, cell), 120, "the second controller's job")
        assert f"afterany:{left}" in waits_for(cluster, cell), "none runs beside the one that is there"
        assert long.finished(again) == undisturbed
        assert "resuming at step" not in long.log(cell), "what went on was not begun again"
        assert long.log(cell).count("step 400 of 400") == 1, "trained once"


def test_a_cell_of_a_lost_node_resumes_on_the_other(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    with fault("node lost under a job"):
        controller = long.controller()
        cell = long.training()
        lost = long.job_of(cell)
        cluster.kill_node(lost.node)
        try:
            wait_for(lambda: runs_elsewhere(long, cell, lost.node), 200, "the other node")
            assert long.job_of(cell).id == lost.id, "requeued by Slurm, not submitted anew"
        finally:
            cluster.start_node(lost.node)
        assert long.finished(controller) == undisturbed
        assert "resuming at step" in long.log(cell)
        assert RETRIED not in long.output


def test_a_killed_cell_is_retried_with_more_memory(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    """kill -9, like the out-of-memory killer."""
    with fault("cell killed (kill -9, as when memory runs out)"):
        controller = long.controller()
        cell = long.training()
        assert long.job_of(cell).memory == "2000M"
        long.process_of(cell).kill()
        wait_for(lambda: "4000M" in [job.memory for job in cluster.jobs() if job.is_for(cell)], 120, "a second try")
        assert long.finished(controller) == undisturbed
        assert "resuming at step" in long.log(cell)


def test_an_interrupted_controller_cancels_its_jobs_and_they_stay_cancelled(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    """Ctrl-C: a cell saves its state and is not requeued."""
    with fault("controller interrupted (Ctrl-C), the same command again"):
        controller = long.controller()
        cell = long.training()
        controller.send_signal(signal.SIGINT)
        assert controller.wait(120) != 0
        wait_for(lambda: not cluster.jobs(), 60, "an empty queue")
        assert "stopped at step" in long.log(cell)
        assert long.finished(long.controller()) == undisturbed
        assert "resuming at step" in long.log(cell)


def test_a_second_controller_is_refused_and_disturbs_nothing(
    long: LoginNode, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    with fault("two controllers on one working directory"):
        controller = long.controller()
        long.training()
        before = {job.id for job in cluster.jobs()}
        assert "already running in this folder" in long.run(*COMMAND, "all_tables", status=1)
        assert {job.id for job in cluster.jobs()} <= before, "nothing was submitted"
        assert long.finished(controller) == undisturbed


def waits_for(cluster: Cluster, cell: str) -> str:
    """The dependency of this cell's waiting job; empty without one."""
    return "".join(job.waits_for for job in cluster.jobs() if job.is_for(cell) and "afterany" in job.waits_for)


def runs_elsewhere(node: LoginNode, cell: str, lost: str) -> bool:
    node.cluster.hurry()
    return any(job.node != lost for job in node.running(cell))
