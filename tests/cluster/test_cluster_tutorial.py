"""The tutorial on Slurm works as written on a real cluster: every command that its page marks so is run."""

from __future__ import annotations

import pytest
from checkout import REPOSITORY
from fenced import fenced_blocks
from login_node import LoginNode

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.xdist_group("cluster")]


def test_the_commands_of_the_tutorial_run_on_a_cluster(login_node: LoginNode) -> None:
    page = (REPOSITORY / "docs" / "tutorials" / "run-on-slurm.md").read_text()
    commands = [block.body for block in fenced_blocks(page) if block.title == "on the cluster"]
    assert "all_tables" in commands[0]
    for command in commands:
        login_node.run("bash", "-c", f"set -euo pipefail\n{command}")
    assert len(list(login_node.root.glob("results/cells/*/metrics.json"))) == 3
    assert login_node.planned() == {}
