"""From one clone to another: data and pages through DVC, finished cells in an archive; nothing is trained again."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from checkout import Checkout
from test_report_pages import Page, leads_somewhere
from versioned import clone, commit, put_under_version

from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.run.lock import cell_lock
from cenbench.run.share import import_results

WEIGHTS = "results/state/*/weights.safetensors"
ARCHIVE = "results/demo.tar"


def trained(checkout: Checkout) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in checkout.root.glob(WEIGHTS)}


def test_a_second_clone_adopts_data_and_cells_and_trains_nothing(versioned: Checkout, tmp_path: Path) -> None:
    versioned.run("python", "-m", "cenbench", "results", "export", ARCHIVE)
    versioned.run("dvc", "add", ARCHIVE)
    versioned.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    commit(versioned)
    versioned.run("dvc", "push")

    other = clone(versioned, tmp_path / "other")
    other.run("dvc", "pull")
    assert other.bytes_of("data/prepared/*/*.npy") == versioned.bytes_of("data/prepared/*/*.npy")
    pages = list(other.root.glob("published/**/*.html"))
    assert len(pages) > 2 + 3, "two tables, three cells, and the index"
    for page in pages:
        assert all(leads_somewhere(page, link) for link in Page(page).links), page
    assert other.planned()["cell"] == 3, "results are not shared yet: Snakemake would train"
    output = other.run("python", "-m", "cenbench", "results", "import", ARCHIVE)
    assert "3 cells imported" in output
    before = trained(other)
    other.snakemake("all_tables")
    assert trained(other) == before
    for pattern in ("results/cells/*/metrics.json", "results/cells/*/samples/*", "reports/demo/table*.html", WEIGHTS):
        assert other.bytes_of(pattern) == versioned.bytes_of(pattern), pattern
    assert "Running stage" not in other.run("dvc", "repro")

    # Snakemake knows what it was told: a change afterwards concerns the cells it concerns.
    other.edit("params/table7.yaml", "l1: half, exchange: true}", "l1: all, exchange: true}")
    other.edit("cenbench/metrics/kid_x100.py", "def ", "assert True\n\n\ndef ")
    assert other.planned()["cell"] == 2, "the row's new cell is trained, and the translation cell measured again"


def test_a_clone_with_other_code_or_data_rejects_cells_and_reports_why(finished: Checkout, tmp_path: Path) -> None:
    finished.run("python", "-m", "cenbench", "results", "export", ARCHIVE)
    first = finished.root.joinpath(ARCHIVE).read_bytes()
    finished.run("python", "-m", "cenbench", "results", "export", ARCHIVE)
    assert finished.root.joinpath(ARCHIVE).read_bytes() == first, "the same cells give the same bytes"

    other = Checkout.make(tmp_path / "other")
    archive = str(finished.root / ARCHIVE)
    output = other.run("python", "-m", "cenbench", "results", "import", archive)
    assert output.count("is not here to compare with: dvc pull") == 3
    assert "0 cells imported" in output
    other.root.joinpath("data/prepared").symlink_to(finished.root / "data/prepared")
    other.edit("cenbench/train/segmentation_loss.py", "def ", "assert True\n\n\ndef ")
    output = other.run("python", "-m", "cenbench", "results", "import", archive)
    assert len(re.findall(r"rejected: rgb\+depth.*\n.*stale: the training code changed since", output)) == 2
    assert "1 cells imported" in output
    assert list(other.root.glob("results/.import-*")) == []


def test_running_cells_and_cells_trained_differently_here_are_left_alone(finished: Checkout, tmp_path: Path) -> None:
    finished.run("python", "-m", "cenbench", "results", "export", ARCHIVE)
    other = Checkout.make(tmp_path / "other")
    other.root.joinpath("data/prepared").symlink_to(finished.root / "data/prepared")
    plan, paths = load_plan(other.root / "params", "demo"), Paths(other.root)
    busy, *others = plan.cells.values()
    with cell_lock(paths.state(busy)):
        found = import_results(plan, paths, finished.root / ARCHIVE)
    assert "already being run" in found.rejected[busy.id]
    assert found.imported == tuple(cell.id for cell in others), "all the same"

    shutil.rmtree(paths.cell(others[0]))
    note = paths.state(others[0]) / "finished.json"
    written = json.loads(note.read_text())
    written["sha256"]["weights.safetensors"] = "0" * 64
    del written["seal"]  # as versions wrote it that had none
    note.write_text(json.dumps(written))
    found = import_results(plan, paths, finished.root / ARCHIVE)
    assert "finished here, with other weights" in found.rejected[others[0].id]
    assert (found.imported, found.kept) == ((busy.id,), (others[1].id,))


def test_a_bad_archive_changes_nothing(prepared_checkout: Checkout, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar"
    bad.write_bytes(b"no archive")
    output = prepared_checkout.run("python", "-m", "cenbench", "results", "import", str(bad), status=2)
    assert "bad.tar" in output
    assert "no cell of preset" in prepared_checkout.run(
        "python", "-m", "cenbench", "results", "export", "x.tar", status=2
    )


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of an S3 server on this machine, with a bucket named `shared`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "s3.log").open("w") as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for _ in range(600):
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            boto3.client("s3", endpoint_url=address).create_bucket(Bucket="shared")
            yield address
        finally:
            server.terminate()
            server.wait()


def test_s3_holds_data_and_raw_files_and_a_url_is_tracked_without_a_download(
    prepared_checkout: Checkout, tmp_path: Path, s3: str
) -> None:
    mine = Checkout.make(tmp_path / "mine")
    put_under_version(mine, repro=False)
    raw = mine.root / "data/raw/nyudv2"
    raw.mkdir()
    (raw / "splits.mat").write_bytes(b"by hand")
    mine.run("dvc", "add", "data/raw/nyudv2/splits.mat")
    boto3.client("s3", endpoint_url=s3).put_object(
        Bucket="shared", Key="labeled.mat", Body=b"published", ACL="public-read"
    )
    mine.run("dvc", "import-url", "--no-download", f"{s3}/shared/labeled.mat", "data/raw/nyudv2/labeled.mat")
    assert not (raw / "labeled.mat").exists()
    assert "frozen: true" in (raw / "labeled.mat.dvc").read_text()
    mine.run("dvc", "remote", "add", "-d", "store", "s3://shared/dvc")
    mine.run("dvc", "remote", "modify", "store", "endpointurl", s3)
    commit(mine)
    mine.run("dvc", "push", "data/raw/nyudv2/splits.mat.dvc")

    other = clone(mine, tmp_path / "other")
    assert sorted(path.name for path in (other.root / "data/raw/nyudv2").iterdir() if path.suffix == ".dvc") == [
        "labeled.mat.dvc", "splits.mat.dvc",
    ]  # fmt: skip
    other.run("dvc", "pull", "data/raw/nyudv2/splits.mat.dvc", "data/raw/nyudv2/labeled.mat.dvc")
    assert (other.root / "data/raw/nyudv2/splits.mat").read_bytes() == b"by hand"
    assert (other.root / "data/raw/nyudv2/labeled.mat").read_bytes() == b"published"
