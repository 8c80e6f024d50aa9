"""Released checkpoints: imported strictly and unpickled never, measured as what they are, and never trained over.

The checkpoints are made here in the released layout: our own networks with rows of norms apart, under its names.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cell_pages import shown_alone
from checkout import PRESET, REPOSITORY, TABLE7, TABLE8
from tiny_dataset import write_dataset
from torch import Tensor, nn

from cenbench.cli.main import main
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.evaluate.task import evaluation_of
from cenbench.files import read_json, write_json
from cenbench.matrix import dataset_names
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import dataset_key
from cenbench.nn.exchange import ConstrainedNorm
from cenbench.nn.norm import ModalityNorm
from cenbench.nn.official import name_is_whole, official_names
from cenbench.paths import Paths
from cenbench.records.read import CellRecord, read_record
from cenbench.records.write import Measured
from cenbench.report.cell_page import render_cell_page
from cenbench.run import cell as run_module
from cenbench.run.cell import run_cell
from cenbench.run.import_checkpoint import import_checkpoint, read_checkpoint
from cenbench.run.lock import cell_lock
from cenbench.train import train_cell
from cenbench.train.setup import Setup
from cenbench.train.state import save_state
from cenbench.train.task import training_of
from cenbench.train.trained import finish

DATASET = "dataset: &data {name: tiny, size_px: 32, train_scenes: 2, val_scenes: 4, seed: 1}"
KIND = {"segmentation": "segmenter", "translation": "generator"}
State = OrderedDict[str, Tensor]


@dataclass(frozen=True)
class Place:
    """A folder with a plan of three cells and their dataset: one of unshared convs, two that exchange."""

    plan: Plan
    paths: Paths

    @classmethod
    def make(cls, root: Path) -> Place:
        shutil.copytree(REPOSITORY / "params", root / "params")
        (root / "params/presets/paper-official.yaml").unlink()  # its datasets are not among those of this test
        synthetic = next(line.strip() for line in PRESET.splitlines() if "dataset:" in line)
        preset = PRESET.replace("name: demo", "name: tiny").replace("depth: 18", "depth: 50")
        (root / "params/presets/tiny.yaml").write_text(preset.replace(synthetic, DATASET))
        (root / "params/table7.yaml").write_text(TABLE7)
        (root / "params/table8.yaml").write_text(TABLE8)
        draw = np.random.default_rng(5)
        arrays = {
            "rgb": draw.integers(0, 256, (6, 32, 32, 3), np.uint8),
            "depth_zbuffer": draw.integers(0, 5000, (6, 32, 32), np.uint16),
            "semantic": draw.integers(0, 10, (6, 32, 32), np.uint8),
            "shade": draw.integers(0, 256, (6, 32, 32), np.uint8),
            "texture": draw.integers(0, 10_000, (6, 32, 32), np.uint16),
        }
        paths = Paths(root)
        write_dataset(paths.data, arrays, train_scenes=2)
        return cls(load_plan(paths.params, "tiny"), paths)

    def cell(self, kind: str, convs: str = "shared") -> Cell:
        return next(cell for cell in self.plan.cells.values() if cell.task.kind == kind and cell.convs == convs)

    def prepared(self, cell: Cell) -> Prepared:
        return Prepared.open(self.paths.data / dataset_key(cell.dataset))

    def record(self, cell: Cell) -> CellRecord:
        return read_record(self.paths, cell)


@pytest.fixture(autouse=True)
def tiny_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets name datasets that can be prepared; the tests' own is written by `write_dataset`."""
    monkeypatch.setattr(dataset_names, "dataset_names", lambda: ("synthrooms", "tiny"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path / "root")


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it trains")

    monkeypatch.setattr(train_cell, "train_steps", refuse)


def network_of(place: Place, cell: Cell) -> nn.Module:
    """The cell's network as if trained: norms that differ in every row, a third of the scaling factors under theta."""
    network = training_of(cell).build(cell, 10)
    torch.manual_seed(3)
    for norm in network.modules():
        if isinstance(norm, ModalityNorm):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            norm.weight.data[torch.rand_like(norm.weight) < 1 / 3] = 0.005
            nn.init.normal_(norm.bias, std=0.2)
            nn.init.normal_(norm.running_mean, std=0.2)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    nn.init.normal_(network.get_parameter("ensemble.alpha"))
    return network


def released(network: nn.Module, kind: str) -> State:
    """The network's state as the released code names it, with the norms it never applies and its counters."""
    own: Any = network.state_dict()
    state: State = OrderedDict()
    for ours, names in official_names(network, kind).items():
        rows = [own[ours]] if name_is_whole(own[ours], names[0]) else own[ours]
        state |= {name: row.clone() for name, row in zip(names, rows, strict=True)}
    if kind == "generator":
        for layer, norm in (("conv1", "conv"), ("conv4", "conv"), ("deconv4", "deconv")):
            for m in range(2):
                for name in ("weight", "bias", "running_mean", "running_var"):
                    state[f"{layer}.insnorm_{norm}.insnorm_{m}.{name}"] = torch.rand(4)
    for name in [name for name in state if name.endswith("running_mean")]:
        state[name.replace("running_mean", "num_batches_tracked")] = torch.tensor(7)
    state._metadata = own._metadata  # type: ignore[attr-defined]  # versions of modules, which torch keeps so
    return state


def saved(place: Place, state: State, kind: str) -> Path:
    """The file the released code would write of it: a DataParallel segmenter with its score, or a bare generator."""
    if kind == "generator":
        path = place.paths.root / "checkpoint-gen.pkl"
        torch.save(state, path)
        return path
    path = place.paths.root / "model-best.pth.tar"
    parallel = OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())
    content = {"segmenter": parallel, "epoch_start": 174, "best_val": np.float64(51.1)}
    torch.save(content, path, _use_new_zipfile_serialization=False)  # as torch 1.0 did
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))  # and NumPy 1
    return path


def directly(place: Place, cell: Cell, network: nn.Module) -> Measured:
    """What evaluating this very network gives, its weights kept under our own names."""
    folder = place.paths.root / "directly"
    trained = finish(folder, network, b"", 0, {"training_id": "another"})
    setup = Setup(cell, place.prepared(cell), torch.device("cpu"), place.paths)
    return evaluation_of(cell).measure(setup, train_cell.load_network(training_of(cell), setup, trained))


def imported(place: Place, cell: Cell) -> Path:
    """Import the cell's own network from a released checkpoint; the file."""
    kind = KIND[cell.task.kind]
    path = saved(place, released(network_of(place, cell), kind), kind)
    import_checkpoint(path, cell, place.paths, "cpu")
    return path


@pytest.mark.parametrize("kind", list(KIND))
def test_published_numbers_are_those_of_the_network_itself(place: Place, kind: str, no_training: None) -> None:
    cell = place.cell(kind)
    network = network_of(place, cell)
    path = saved(place, released(network, KIND[kind]), KIND[kind])
    source = import_checkpoint(path, cell, place.paths, "cpu")
    record, expected = place.record(cell), directly(place, cell, network)
    assert record.state == "ok"
    assert record.metrics == {stream: dict(values) for stream, values in expected.metrics.items()}
    assert record.document["parameters"] == expected.parameters
    assert record.document["origin"] == "imported"
    assert record.provenance["imported"] == {"file": path.name, "sha256": source.sha256}
    kept = (place.paths.state(cell) / "weights.safetensors").read_bytes()
    assert kept == (place.paths.root / "directly" / "weights.safetensors").read_bytes()
    x_BMCHW = torch.randn(1, 2, 3, 32, 32)
    exchanged = network.eval()(x_BMCHW)
    for norm in network.modules():
        if isinstance(norm, ConstrainedNorm):
            norm.theta = None
    assert not torch.equal(network(x_BMCHW), exchanged), "exchange acted"


def test_an_imported_cell_is_measured_again_and_never_trained(
    place: Place, no_training: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = place.cell("segmentation")
    imported(place, cell)
    before = place.record(cell)
    run_cell(cell, place.paths, "cpu")
    assert place.record(cell).document == before.document

    def other(*arguments: Any) -> Any:
        return replace(digests(*arguments), training_code="other", evaluation_code="other", data="other")

    digests: Callable[..., Any] = run_module.current_digests
    monkeypatch.setattr(run_module, "current_digests", other)
    run_cell(cell, place.paths, "cpu")
    after = place.record(cell)
    assert (after.metrics, after.document["origin"]) == (before.metrics, "imported")
    assert after.document["digests"]["training_code"] == "other"
    assert after.provenance["imported"] == before.provenance["imported"]


def test_damaged_imported_weights_are_named_and_not_trained_anew(place: Place, no_training: None) -> None:
    cell = place.cell("segmentation")
    path = imported(place, cell)
    weights = place.paths.state(cell) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match="imported weights are damaged") as caught:
        run_cell(cell, place.paths, "cpu")
    assert "import the checkpoint again" in str(caught.value)
    assert place.record(cell).state == "failed"
    import_checkpoint(path, cell, place.paths, "cpu")
    assert place.record(cell).state == "ok"


def test_weights_that_are_there_go_only_when_told(place: Place, no_training: None) -> None:
    cell = place.cell("segmentation")
    network = network_of(place, cell)
    path = saved(place, released(network, "segmenter"), "segmenter")
    state = place.paths.state(cell)
    state.mkdir(parents=True)
    save_state(state, {"step": 5})
    refused(path, cell, place, "a training under way", "--replace")
    (state / "state.pt").unlink()
    finish(state, network, b"", 12, {"training_id": cell.training_id, "training_code": "x", "data": "y"})
    refused(path, cell, place, "a finished training", "--replace")
    import_checkpoint(path, cell, place.paths, "cpu", replace=True)
    import_checkpoint(path, cell, place.paths, "cpu")  # the same file again loses nothing
    nn.init.zeros_(network.get_parameter("ensemble.alpha"))
    other = saved(place, released(network, "segmenter"), "segmenter")
    refused(other, cell, place, "imported from model-best.pth.tar", "--replace")
    with cell_lock(state):
        refused(path, cell, place, "already being run by another process")


def refused(path: Path, cell: Cell, place: Place, *parts: str) -> None:
    """The import is refused with a message that contains these parts, and changes nothing."""
    with pytest.raises(UserError) as caught:
        import_checkpoint(path, cell, place.paths, "cpu")
    for part in parts:
        assert part in str(caught.value)
    assert not (place.paths.state(cell) / "failure.json").exists()


Change = Callable[[Any], Any]
CHANGES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "missing": (lambda state: state.pop("layer3.5.bn2.bn_1.weight"), ("layer3.5.bn2.bn_1.weight", "no such key")),
    "extra": (lambda state: state.update({"conv9.weight": torch.zeros(2)}), ("conv9.weight", "more than the network")),
    "shape": (
        lambda state: state.update({"clf_conv.module.weight": torch.zeros(40, 8, 3, 3)}),
        ("clf_conv.module.weight", "found: (40, 8, 3, 3)", "expected: (10, 8, 3, 3)"),
    ),
    "not finite": (
        lambda state: state["layer1.0.conv1.module.weight"].fill_(float("nan")),
        ("layer1.0.conv1.module.weight", "not finite"),
    ),
    "no tensor": (lambda state: state.update(alpha=3), ("alpha", "found: int")),
    "complex counter": (
        lambda state: state.update({"bn1.num_batches_tracked": torch.tensor(1 + 2j)}),
        ("bn1.num_batches_tracked", "complex64"),
    ),
    "not numbers": (lambda state: state.update({"alpha": torch.ones(2) < 0}), ("alpha", "torch.bool")),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_differs_from_the_network_is_named(place: Place, change: str) -> None:
    cell = place.cell("segmentation")
    state = released(network_of(place, cell), "segmenter")
    apply, parts = CHANGES[change]
    apply(state)
    refused(saved(place, state, "segmenter"), cell, place, "model-best.pth.tar", *parts)
    assert place.record(cell).state == "missing"


def test_checkpoint_of_another_network_is_refused(place: Place) -> None:
    generator = saved(place, released(network_of(place, place.cell("translation")), "generator"), "generator")
    refused(generator, place.cell("segmentation"), place, "not a released segmenter checkpoint", generator.name)


def test_cells_the_released_code_has_no_network_for_are_refused(place: Place) -> None:
    cell = place.cell("segmentation")
    path = saved(place, OrderedDict(), "segmenter")
    refused(path, place.cell("segmentation", convs="unshared"), place, "convs", "expected: shared")
    for key, value in {"norms": "affine-unshared", "fusion": "concat", "stage": "middle"}.items():
        refused(path, cell.model_copy(update={key: value}), place, f"key: {key}", f"found: {value}")
    for network in ({"depth": 34}, {"head": "pspnet"}):
        (key,) = network
        changed = cell.model_copy(update={"network": cell.network.model_copy(update=network)})
        refused(path, changed, place, f"key: network.{key}", "the released code has no such network")
    protocol = cell.protocol.model_copy(update={"exchange_own_part_only": True})
    refused(path, cell.model_copy(update={"protocol": protocol}), place, "exchange_own_part_only")


class Malicious:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_nested_tensor_is_refused(tmp_path: Path) -> None:
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    torch.save({"segmenter": {"alpha": nested}}, tmp_path / "model.pth")
    with pytest.raises(UserError, match=r"(?s)a nested tensor.*segmenter\.alpha"):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_unpickled(tmp_path: Path, zipped: bool) -> None:
    path, folder = tmp_path / "model.pth", tmp_path / "made"
    content = {"segmenter": {"alpha": torch.ones(2)}, "best_val": Malicious(folder)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="could run arbitrary code") as caught:
        read_checkpoint(path)
    assert "mkdir" in str(caught.value)
    assert not folder.exists()
    torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=zipped)  # a module whole, not its state
    with pytest.raises(UserError, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_are_no_whole_checkpoint(tmp_path: Path, zipped: bool) -> None:
    path, buffer = tmp_path / "model.pth", BytesIO()
    torch.save({"alpha": torch.ones(50)}, buffer, _use_new_zipfile_serialization=zipped)
    data = buffer.getvalue()
    for content in (b"", b"hello", b"PK\x03\x04", *(data[: len(data) * part // 8] for part in range(1, 8))):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"not a (complete )?file of weights") as caught:
            read_checkpoint(path)
        assert "model.pth" in str(caught.value)
    with pytest.raises(UserError, match="is not a regular file"):
        read_checkpoint(tmp_path)
    with pytest.raises(UserError, match="is missing"):
        read_checkpoint(tmp_path / "absent.pth")


@pytest.mark.parametrize("damage", ["bits", "a hole"])
def test_a_checkpoint_with_other_bytes_than_were_saved_is_refused(tmp_path: Path, damage: str) -> None:
    """torch reads both without a word: it compares no checksums."""
    path, weights = tmp_path / "model-best.pth.tar", torch.rand(64, 64)
    torch.save({"segmenter": {"module.alpha": weights}}, path)
    data = bytearray(path.read_bytes())
    start = data.index(weights.numpy().tobytes())
    if damage == "bits":
        data[start + 2] ^= 0x40
    else:
        data[start : start + 8000] = bytes(8000)
    path.write_bytes(data)
    assert torch.load(path, weights_only=True)["segmenter"]["module.alpha"].shape == (64, 64)
    with pytest.raises(UserError, match=r"(?s)truncated or damaged.*wrong checksum of \S+/data/0"):
        read_checkpoint(path)


def test_a_tensor_of_more_numbers_than_are_stored_is_refused(tmp_path: Path) -> None:
    """A file of 2 KB whose values would take 4 TB to look at."""
    torch.save({"segmenter": {"alpha": torch.zeros(1).expand(10**6, 10**6)}}, tmp_path / "model.pth")
    with pytest.raises(UserError, match=r"(?s)more numbers than the file stores.*segmenter\.alpha"):
        read_checkpoint(tmp_path / "model.pth")


def test_a_compressed_archive_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.save compresses nothing, so nothing of its files unpacks to more than they take."""
    torch.save({"segmenter": {"alpha": torch.zeros(10_000)}}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, zipfile.ZipFile(tmp_path / "packed.pth", "w") as packed:
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member), zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(UserError, match=r"(?s)members are compressed.*data/0"):
        read_checkpoint(tmp_path / "packed.pth")


def test_a_file_of_no_weights_is_refused(place: Place) -> None:
    path = place.paths.root / "insnorm_params_000.pth"
    torch.save([torch.ones(3)], path)
    refused(path, place.cell("segmentation"), place, "found: list", "expected: a dict")


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cenbench", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_the_command_reports_what_it_did_and_what_is_next(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = place.cell("translation")
    path = saved(place, released(network_of(place, cell), "generator"), "generator")
    command = ("import-checkpoint", str(path), cell.id, "--preset", "tiny", "--root", str(place.paths.root))
    assert run_command(monkeypatch, *command, "--device", "cpu") == 0
    said = capsys.readouterr().out
    for part in ("imported checkpoint-gen.pkl", cell.id, "ok", "cenbench show table8 --preset tiny"):
        assert part in said
    path.write_bytes(b"")
    assert run_command(monkeypatch, *command) == 2
    assert "an empty file" in capsys.readouterr().err


def test_the_page_shows_where_the_weights_come_from(place: Place, no_training: None) -> None:
    cell = place.cell("segmentation")
    path = saved(place, released(network_of(place, cell), "segmenter"), "segmenter")
    hostile = path.rename(path.with_name("<script>&.tar"))
    source = import_checkpoint(hostile, cell, place.paths, "cpu")
    page = render_cell_page("tiny", place.record(cell), shown_alone(cell, "table7"))
    assert f"imported from &lt;script&gt;&amp;.tar (sha256 {source.sha256}), not trained here" in page
    assert "<script>&" not in page
    assert "cenbench import-checkpoint" in page


def test_a_trained_cell_is_shown_as_trained(place: Place) -> None:
    cell = place.cell("translation")
    run_cell(cell, place.paths, "cpu")
    record = place.record(cell)
    assert record.document["origin"] == "trained"
    assert "not trained here" not in render_cell_page("tiny", record, shown_alone(record.cell, "table8"))
    note = read_json(place.paths.state(cell) / "finished.json")
    write_json(place.paths.state(cell) / "finished.json", note | {"imported": {"file": "x"}})
    run_cell(cell, place.paths, "cpu")  # a damaged note is no import
    assert place.record(cell).document == record.document
