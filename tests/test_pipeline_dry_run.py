"""A dry run shows what a real run would do, and changes nothing; nor does anything else that only shows."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from checkout import Checkout
from held_lock import holding

HOLD = """
import sys, time
from pathlib import Path
from cenbench.schedule.controller_lock import hold_working_directory
with hold_working_directory(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
SNAKEMAKE = ("log", "iocache", "auxiliary", "shadow", "conda", "conda-archive", "singularity")
"""What Snakemake keeps for itself in .snakemake: logs, a cache of file times, empty folders."""


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Name -> mode, time of change and content of everything below `root` that belongs to the project or to a lock."""
    found = {}
    for folder, folders, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        skipped = SNAKEMAKE if relative == Path(".snakemake") else ("__pycache__",)
        folders[:] = [name for name in folders if name not in skipped]
        for name in files:
            status = Path(folder, name).stat()
            found[str(relative / name)] = (status.st_mode, status.st_mtime_ns, Path(folder, name).read_bytes())
        if relative.parts[:1] in (("results",), ("reports",), ("data",), ("params",), ("weights",)):
            found[f"{relative}/"] = (0, Path(folder).stat().st_mtime_ns, b"")
    return found


@pytest.fixture
def damaged(finished: Checkout) -> Checkout:
    """A finished checkout with an edited number, whose cells read a pretrained file that nobody has read before."""
    record = next(finished.root.glob("results/cells/*to-rgb*/metrics.json"))
    text = record.read_text()
    record.write_text(text.replace('"fid": ', '"fid": 1'))
    assert record.read_text() != text
    return finished


def test_what_only_shows_changes_nothing(damaged: Checkout) -> None:
    before = tree(damaged.root)
    for command in ("-n all_tables", "-nF table8", "--dryrun --rerun-triggers=mtime", "--summary", "--unlock"):
        damaged.snakemake(*command.split())
        assert tree(damaged.root) == before, command


def test_a_dry_run_foretells_what_a_damaged_record_causes(damaged: Checkout) -> None:
    planned = damaged.planned()
    assert planned == {"cell": 1, "table": 1, "index": 1, "all_tables": 1}
    output = damaged.snakemake("all_tables")
    assert "its record is damaged" in output
    assert damaged.planned() == {}


def test_a_dry_run_notes_no_digest_of_pretrained_files(checkout: Checkout) -> None:
    checkout.edit("params/presets/demo.yaml", "pretrained: false", "pretrained: true")
    checkout.edit("params/presets/demo.yaml", "width: 4, decoder_width", "width: 64, decoder_width")
    (checkout.root / "weights" / "resnet18-f37072fd.pth").write_bytes(b"not weights")
    before = tree(checkout.root)
    assert checkout.planned()["cell"] == 3
    assert tree(checkout.root) == before


def test_touch_renames_nothing(damaged: Checkout) -> None:
    names = tree(damaged.root).keys()
    damaged.snakemake("--touch", "all_tables")
    assert tree(damaged.root).keys() == names


def test_every_target_of_a_real_run_needs_the_hold(finished: Checkout) -> None:
    """Another controller seems to be at work: whatever is asked for, nothing starts.

    Tried with a target, a cell and a dataset; all rules ask for the hold in the same way.
    """
    text = "\n".join(path.read_text() for path in (finished.root / "workflow" / "rules").glob("*.smk"))
    rules = re.findall(r"^( *)rule\b.*:\n((?:\1 +.*\n|\n)+)", text, re.MULTILINE)
    assert len(rules) == len(re.findall(r"^ *rule\b", text, re.MULTILINE)) > 10
    assert [body for _, body in rules if not re.search(r"^ *input:\n +MATRIX\.begin,$", body, re.MULTILINE)] == []
    claim = finished.root / ".snakemake" / "controller.json"
    claim.write_text('{"process": {"host": "elsewhere", "pid": 4321}, "since": "noon"}')
    record = next(finished.root.glob("results/cells/*/metrics.json")).relative_to(finished.root)
    manifest = next(finished.root.glob("data/prepared/*/manifest.json")).relative_to(finished.root)
    before = tree(finished.root)
    for target in ("all_tables", str(record), str(manifest)):
        output = finished.snakemake(target, status=1)
        assert "process 4321 on elsewhere, since noon" in output, target
        assert "rm -f" in output
        assert "Traceback" not in output
        assert tree(finished.root) == before, target
    assert finished.planned() == {}, "a dry run is always possible"


def test_of_two_controllers_started_at_once_one_works(finished: Checkout) -> None:
    for page in finished.root.glob("reports/demo/*.html"):
        page.unlink()
    both = [finished.start("snakemake", "all_tables") for _ in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], outputs
    refused = outputs[0 if both[0].returncode else 1]
    winner = both[1 if both[0].returncode else 0]
    assert f"process {winner.pid} on" in refused
    assert len(list(finished.root.glob("reports/demo/table*.html"))) == 2
    assert not (finished.root / ".snakemake" / "controller.json").exists(), "a hold ends with its process"


@pytest.mark.parametrize("fate", ["live", "dead"])
def test_what_changes_files_without_a_run_waits_for_the_controllers_end(finished: Checkout, fate: str) -> None:
    """Refused while a live process holds the folder, with its name; done after it was killed, its locks removed."""
    holder = holding(HOLD, finished.root)
    locks = finished.root / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text("anything\n")
    record = next(finished.root.glob("results/cells/*/metrics.json")).relative_to(finished.root)
    try:
        if fate == "dead":
            holder.kill()
            holder.wait()
            finished.snakemake("--unlock")
            assert list(locks.glob("*")) == []
            finished.snakemake("--touch", "all_tables")
            finished.snakemake("--delete-all-output", str(record))
            assert not (finished.root / record).exists()
            assert not (finished.root / ".snakemake" / "controller.json").exists()
            return
        before = tree(finished.root)
        for command in (
            "--delete-all-output all_tables",
            "--delete-temp-output all_tables",
            "--unlock",
            "--touch all_tables",
            f"--cleanup-metadata {record}",
            "--cleanup-shadow",
        ):
            output = finished.snakemake(*command.split(), status=1)
            assert f"process {holder.pid} on" in output, command
            assert "Traceback" not in output
            assert tree(finished.root) == before, command
        finished.snakemake("--delete-all-output", "-n", "all_tables")
        assert tree(finished.root) == before
    finally:
        holder.kill()
        holder.wait()


def test_every_rule_is_described_in_snakemakes_list(checkout: Checkout) -> None:
    listed = [line for line in checkout.snakemake("--list").splitlines() if not line.startswith("Using ")]
    assert [line for line in listed if not re.fullmatch(r"[\w-]+ \(.{10,}\)", line)] == []
    assert any(line.startswith("table7 (Table 7. ") for line in listed)
