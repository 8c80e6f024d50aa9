"""What the slurm profile requests for a cell, under each of the site's settings; `tests/cluster/` submits it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import yte
from checkout import REPOSITORY

SEGMENTATION, TRANSLATION = "rgb+depth-to-semantic.exchange.s1.0", "shade+texture-to-rgb.exchange.s1.0"


RULES = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
OF_CELLS = re.findall(
    r"^rule (\w+):(?=(?:(?!^rule ).)*?gpu=1)", "\n".join(path.read_text() for path in RULES), re.M | re.S
)
"""The rules whose jobs need a GPU."""


def resources(monkeypatch: pytest.MonkeyPatch, rule: str, cell: str, **settings: str) -> dict[str, Any] | None:
    """The profile's resources of a rule, evaluated as Snakemake does; None if it leaves the rule's own."""
    for name in ("GRES", "TRANSLATION_GRES", "CPU_PARTITION", "PARTITION"):
        monkeypatch.delenv(f"CENBENCH_SLURM_{name}", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(f"CENBENCH_SLURM_{name}", value)
    monkeypatch.setenv("CENBENCH_SLURM_SBATCH", "")
    profile = yte.process_yaml((REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text())
    assert {*OF_CELLS, "dataset"} == profile["set-threads"].keys()
    found = profile.get("set-resources", {}).get(rule)
    if found is None:
        return None
    known = {"wildcards": SimpleNamespace(cell=cell)}
    return {name: eval(value, known) if isinstance(value, str) else value for name, value in found.items()}


@pytest.mark.parametrize(
    ("settings", "segmentation", "translation"),
    [
        ({}, None, None),
        ({"CPU_PARTITION": "cpu"}, None, None),
        ({"GRES": "gpu:a100:1"}, "gpu:a100:1", "gpu:a100:1"),
        ({"TRANSLATION_GRES": "shard:1"}, "gpu:1", "shard:1"),
        ({"GRES": "gpu:a100:1", "TRANSLATION_GRES": "mps:25"}, "gpu:a100:1", "mps:25"),
    ],
)
@pytest.mark.parametrize("rule", OF_CELLS)
def test_a_translation_cell_can_request_part_of_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    settings: dict[str, str],
    segmentation: str | None,
    translation: str | None,
) -> None:
    """`gpu` is 0 where `gres` is set: the plugin would pass both on."""
    for cell, expected in ((SEGMENTATION, segmentation), (TRANSLATION, translation)):
        found = resources(monkeypatch, rule, cell, **settings)
        assert found == (None if expected is None else {"gpu": 0, "gres": expected})
