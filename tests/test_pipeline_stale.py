"""What the tables call stale, damaged or failed is made again by Snakemake, whatever times and notes it has."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from checkout import Checkout
from published import edit_sealed, publish, put_manifest

from cenbench.files import write_json
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records import digests
from cenbench.records.read import read_record
from cenbench.records.staleness import WHAT


def test_cells_that_are_not_ok_are_planned_and_no_others(tmp_path: Path) -> None:
    """The records are newer than all that they were made from, and Snakemake has no notes: by itself it sees nothing
    to do, neither for a dataset of other content and old time (cp -p, rsync, tar) nor for records of other code.
    """
    checkout = Checkout.make(tmp_path / "checkout")
    plan, paths = load_plan(checkout.root / "params", "demo"), Paths(checkout.root)
    one, other, third = plan.cells.values()
    (dataset,) = plan.datasets

    def put(content: str) -> None:
        os.utime(put_manifest(paths, dataset, content), (1, 1))
        digests.data_digest.cache_clear()

    def states() -> list[str]:
        return [read_record(paths, cell).state for cell in (one, other, third)]

    put("a dataset")
    for cell in plan.cells.values():
        publish(paths, cell)
    assert states() == ["ok"] * 3
    assert "cell" not in checkout.planned()

    put("another dataset")
    assert states() == ["stale"] * 3
    output = checkout.snakemake("-n", "all_tables")
    assert re.search(r"^ *cell +3 *$", output, re.MULTILINE)
    assert f"3 cells made again, stale: {WHAT['data']}" in output

    for cell in plan.cells.values():
        publish(paths, cell)  # what the jobs would do
    recorded = json.loads(paths.record(one).read_text())["digests"]
    edit_sealed(paths.record(one), digests=recorded | {"evaluation_code": "0" * 64})
    write_json(paths.failure(other), {"reason": "no memory", "cell_id": other.id})
    (paths.cell(third) / "history.csv").unlink()
    assert states() == ["stale", "failed", "damaged"]
    assert checkout.planned()["cell"] == 3
