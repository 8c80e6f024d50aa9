"""Histories reach TensorBoard and Weights & Biases with every value, by the calls that their libraries have."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from checkout import REPOSITORY
from test_report_figures import finished, unfinished
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.records.read import CellRecord
from cenbench.report.exported_history import ExportedHistory, exported_history, write_tensorboard, write_wandb

HISTORY = b"step,epoch,nll_rgb,lr\n1,0,2.5,0.125\n4,1,1.5,0.0625\n"
CURVES = [(1, {"train/nll_rgb": 2.5, "train/lr": 0.125}), (4, {"train/nll_rgb": 1.5, "train/lr": 0.0625})]


def cell_record(folder: Path, history: bytes = HISTORY) -> CellRecord:
    cell = load_plan(REPOSITORY / "params", "demo").cells_of("table7")[0]
    return finished(cell, folder, 20.5, files={"history.csv": history})


@pytest.fixture
def history(tmp_path: Path) -> ExportedHistory:
    return exported_history(cell_record(tmp_path))


def test_an_exported_history_has_every_value_and_the_results(history: ExportedHistory) -> None:
    assert list(history.curves) == CURVES
    assert history.results["val/ensemble/miou_pct"] == 20.5
    assert history.configuration["fusion"] == "none"
    assert history.cell_id.startswith(history.network)


def test_cells_without_a_history_are_refused_with_the_reason(tmp_path: Path) -> None:
    cell = cell_record(tmp_path).cell
    with pytest.raises(UserError, match="this one is missing"):
        exported_history(unfinished(cell, tmp_path))
    with pytest.raises(UserError, match="not a table of numbers"):
        exported_history(cell_record(tmp_path, b"step,nll\n1,words\n"))


@pytest.mark.parametrize("write", [write_tensorboard, write_wandb])
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    history: ExportedHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    name = write.__name__.removeprefix("write_")
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(UserError, match=rf"{name} is not installed[\s\S]*'\.\[{name}\]'"):
        write(history, tmp_path)


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


def test_a_stand_in_for_tensorboard_gets_every_value(
    history: ExportedHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer and messages take what the library's own do."""
    events: list[Any] = []
    opened: list[str] = []

    class EventFileWriter:
        def __init__(self, logdir: str) -> None:
            opened.append(logdir)

        def add_event(self, event: Any) -> None:
            events.append(event)

        def close(self) -> None:
            events.append("closed")

    class Summary(SimpleNamespace):
        Value = SimpleNamespace

    for package in ("tensorboard", "tensorboard.summary", "tensorboard.summary.writer"):
        stand_in(monkeypatch, package, __path__=[])
    for package in ("tensorboard.compat", "tensorboard.compat.proto"):
        stand_in(monkeypatch, package, __path__=[])
    stand_in(monkeypatch, "tensorboard.summary.writer.event_file_writer", EventFileWriter=EventFileWriter)
    stand_in(monkeypatch, "tensorboard.compat.proto.event_pb2", Event=SimpleNamespace)
    stand_in(monkeypatch, "tensorboard.compat.proto.summary_pb2", Summary=Summary)
    write_tensorboard(history, tmp_path)
    assert opened == [str(tmp_path / history.cell_id)]
    assert events.pop() == "closed"
    found = [(event.step, {value.tag: value.simple_value for value in event.summary.value}) for event in events]
    assert found == [*CURVES, (4, dict(history.results))]


def test_a_stand_in_for_wandb_gets_every_value_offline(
    history: ExportedHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[Any] = []
    given: dict[str, Any] = {}
    run = SimpleNamespace(
        log=lambda values, step: logged.append((step, values)), summary={}, finish=lambda: logged.append("finished")
    )
    stand_in(monkeypatch, "wandb", init=lambda **named: given.update(named) or run)
    write_wandb(history, tmp_path / "runs")
    assert logged == [*CURVES, "finished"]
    assert run.summary == history.results
    assert (given["mode"], given["dir"], given["group"]) == ("offline", str(tmp_path / "runs"), history.network)
    assert given["config"]["seed"] == 1


def test_tensorboard_itself_reads_every_value(history: ExportedHistory, tmp_path: Path) -> None:
    reason = "needs tensorboard: pip install -e '.[tensorboard]'"
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason=reason)
    write_tensorboard(history, tmp_path)
    found = reading.EventAccumulator(str(tmp_path / history.cell_id))
    found.Reload()
    assert [(one.step, one.value) for one in found.Scalars("train/nll_rgb")] == [(1, 2.5), (4, 1.5)]
    assert found.Scalars("val/ensemble/miou_pct")[0].value == 20.5


def test_wandb_itself_writes_an_offline_run(history: ExportedHistory, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs wandb: pip install -e '.[wandb]'")
    write_wandb(history, tmp_path)
    [folder] = (tmp_path / "wandb").glob("offline-run-*")
    assert list(folder.glob("*.wandb"))


def test_without_cells_the_command_says_what_to_name(tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(REPOSITORY / "params")
    command = ["export-history", "--to", "tensorboard", "--out", str(tmp_path / "runs"), "--root", str(tmp_path)]
    found = CliRunner().invoke(app, command)
    assert isinstance(found.exception, UserError)
    assert "--table" in str(found.exception)
    found = CliRunner().invoke(app, [*command, "--table", "7"])
    assert "no cell of these tables is finished" in str(found.exception)
    assert not (tmp_path / "runs").exists()
