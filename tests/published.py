"""Finished cells without training: a record and a finished training that hold together, written in milliseconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from checkout import PRESET, REPOSITORY, TABLE7, TABLE8

from cenbench.data.manifest import MANIFEST, Manifest, split_limits, write_manifest
from cenbench.evaluate.measured import Measured
from cenbench.files import digest, sha256_bytes, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import DatasetSpec, dataset_key
from cenbench.paths import Paths
from cenbench.pretrained.used import training_identity
from cenbench.records.digests import current_digests
from cenbench.records.write import write_finished
from cenbench.train.gamma_file import Gammas, LayerGammas, to_bytes

PROVENANCE = {"train_s": 2.0, "trained_steps": 8, "steps": 8, "wall_s": 3.0, "device": "a CPU", "device_type": "cpu"}


def make_root(root: Path, *, tiny: bool = False) -> tuple[Plan, Paths]:
    """A folder with the parameters of this checkout, or the tiny preset of `checkout`, and datasets that pass as
    prepared until they are opened.
    """
    root.mkdir(parents=True, exist_ok=True)
    if tiny:
        shutil.copytree(REPOSITORY / "params", root / "params", ignore=shutil.ignore_patterns("table*.yaml"))
        for name, text in (("presets/demo", PRESET), ("table7", TABLE7), ("table8", TABLE8)):
            (root / "params" / f"{name}.yaml").write_text(text)
    else:
        (root / "params").symlink_to(REPOSITORY / "params")
    plan, paths = load_plan(root / "params", "demo"), Paths(root)
    for dataset in plan.datasets:
        put_manifest(paths, dataset)
    return plan, paths


def put_manifest(paths: Paths, spec: DatasetSpec, content: str = "a dataset") -> Path:
    """The manifest of a prepared dataset without arrays, whose digest depends on `content`; returns its path."""
    folder = paths.data / dataset_key(spec)
    manifest = Manifest(
        name=spec.name,
        version=spec.version,
        spec=spec,
        size_px=spec.shape_px,
        splits=split_limits(spec),
        modalities={},
        classes=(),
        files={},
        licence="none",
        citation=content,
    )
    write_manifest(folder, manifest)
    return folder / MANIFEST


def publish(paths: Paths, cell: Cell, value: float = 1.0, **provenance: Any) -> None:
    """Every number, and the only weight, is `value`."""
    digests = current_digests(cell, paths.data)
    history, gammas = f"step,loss\n1,{value}\n".encode(), published_gammas(cell, value)
    weights = safetensors.numpy.save({"w": np.array([value])})
    files = {"weights.safetensors": weights, "history.csv": history, "gammas.safetensors": gammas}
    sha256 = {name: sha256_bytes(data) for name, data in files.items()}
    folder = paths.state(cell)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    identity = training_identity(cell, digests.training_code, str(digests.data), ())
    write_json(folder / "finished.json", {"identity": identity, "steps": 8, "sha256": sha256})
    numbers = {stream: {"miou_pct": value} for stream in cell.streams}
    samples = {"000.png": b"picture " + str(value).encode()}
    parameters = {"total": 1, "fusion": 0, "flops": 1, "ensemble_weights": {}}
    measured = Measured(numbers, samples=samples, parameters=parameters)
    facts, weights_sha256 = PROVENANCE | provenance, sha256["weights.safetensors"]
    write_finished(cell, paths, digests, measured, history, facts, weights_sha256, gammas=gammas)


def published_gammas(cell: Cell, value: float) -> bytes:
    """Scaling factors of one layer of two channels, recorded at steps 1 and 2; each is `value`."""
    points, modalities = 2, len(cell.task.inputs)
    share_TM = np.zeros((points, modalities), np.float32)
    path_TMC = np.full((points, modalities, 2), value, np.float32)
    deciles_TMD = np.zeros((points, modalities, 9), np.float32)
    tenths_TMD = np.zeros((points, modalities, 10), np.float32)
    layer = LayerGammas(True, path_TMC[-1], share_TM, share_TM, share_TM, deciles_TMD, path_TMC)
    return to_bytes(Gammas(0.02, 2e-4, np.arange(1, points + 1), {"norm": layer}, tenths_TMD, tenths_TMD))


def edit_sealed(path: Path, **changes: Any) -> None:
    """Change keys of a sealed file and seal it again, as a program would that knows the format."""
    document = {**json.loads(path.read_text()), **changes}
    document.pop("sha256")
    write_json(path, {**document, "sha256": digest(document)})
