"""A finished cell's predictions on the validation split, as picture files. Interrupted, the same call continues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from cenbench.data.batches import EvalBatches
from cenbench.data.prepared import Prepared
from cenbench.data.progress import counting
from cenbench.errors import UserError
from cenbench.evaluate.prediction_files import label_files, png
from cenbench.files import read_json, sha256_file, write_bytes, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import SegmentationEvaluation, dataset_key
from cenbench.train.trained import Trained

NOTE = "predictions.json"


def export_predictions(
    cell: Cell,
    prepared: Prepared,
    trained: Trained,
    evaluation_code: str,
    out: Path,
    stream: str,
    device: torch.device,
    *,
    bar: bool = False,
) -> int:
    """Write one PNG a validation scene into `out`, and `predictions.json`, which says what they are; returns how many.

    Segmentation: the labels of `stream` in the dataset's own format (`prediction_files.py`), those its published scores
    were counted from. Translation: the generated image, [-1, 1] as 0..255. Pictures that are there already and were
    made by the same weights are left as they are.

    Raises `UserError`: no such stream, or a folder with others' predictions.
    """
    if stream not in cell.streams:
        raise UserError("this cell has no such output", key="--stream", found=stream, expected=", ".join(cell.streams))
    names = [_file_name(cell, prepared.scene_name(int(row))) for row in prepared.indices("val")]
    note = _note(cell, trained, stream, evaluation_code)
    _begin(out, note)
    wanted = {number for number, name in enumerate(names) if not (out / name).is_file()}
    with counting(f"predicting {stream}", len(names) - len(wanted), len(names), bar) as advance:
        if wanted:
            predicted = _labels if cell.task.kind == "segmentation" else _images
            for number, image in predicted(cell, prepared, trained, stream, device, wanted):
                write_bytes(out / names[number], png(image))
                advance(1)
    write_json(out / NOTE, note | {"complete": True, "files": names})
    return len(names)


def _note(cell: Cell, trained: Trained, stream: str, evaluation_code: str) -> dict[str, Any]:
    """What the pictures in a folder are."""
    return {
        "cell_id": cell.id,
        "dataset": dataset_key(cell.dataset),
        "split": "val",
        "stream": stream,
        "evaluation_code": evaluation_code,
        "weights_sha256": sha256_file(trained.folder / "weights.safetensors"),
        "values": label_files(cell.dataset.name).says if cell.task.kind == "segmentation" else "0..255 for -1..1",
    }


def _begin(out: Path, note: dict[str, Any]) -> None:
    """Say first what the folder is for; one that is for something else is left alone."""
    if (out / NOTE).is_file():
        found = read_json(out / NOTE, fix=f"delete {out}, or choose another folder with --out")
        for key, value in note.items():
            if not isinstance(found, dict) or found.get(key) != value:
                raise UserError(
                    "this folder holds other predictions",
                    where=out / NOTE,
                    key=key,
                    found=found.get(key) if isinstance(found, dict) else found,
                    expected=value,
                    fix=f"choose another folder with --out, or delete {out}",
                )
        return
    if out.is_dir() and any(out.iterdir()):
        raise UserError(
            f"this folder is not empty and has no {NOTE}", where=out, fix="choose an empty or new folder with --out"
        )
    write_json(out / NOTE, note | {"complete": False})


def _file_name(cell: Cell, scene: str) -> str:
    if PurePosixPath(scene).is_absolute() or ".." in PurePosixPath(scene).parts:
        raise UserError("a scene's name cannot be a file's", found=scene, expected="a plain relative name")
    name = label_files(cell.dataset.name).name if cell.task.kind == "segmentation" else "{scene}.png"
    return name.format(scene=scene)


@torch.inference_mode()
def _labels(
    cell: Cell, prepared: Prepared, trained: Trained, stream: str, device: torch.device, wanted: set[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """The `wanted` scenes of the split with their u8 labels as stored, in the batches of the published evaluation."""
    from cenbench.evaluate.score_segmentation import predict
    from cenbench.train.segmentation import load

    if not isinstance(cell.evaluation, SegmentationEvaluation):
        raise TypeError(f"{cell.id} is no segmentation cell")
    network = load(cell, len(prepared.classes), trained, device)
    place, encode = cell.streams.index(stream), label_files(cell.dataset.name).encode
    first = 0
    for x_BMCHW, _ in EvalBatches(prepared, cell.task, "val", cell.evaluation.batch_size):
        batch = range(first, first + len(x_BMCHW))
        first = batch.stop
        if wanted.isdisjoint(batch):
            continue
        classes_BHW = predict(network, x_BMCHW.to(device), cell.task, cell.evaluation)[:, place]
        for number, classes_HW in zip(batch, classes_BHW.cpu().numpy().astype(np.uint8), strict=True):
            if number in wanted:
                yield number, encode(classes_HW)


@torch.inference_mode()
def _images(
    cell: Cell, prepared: Prepared, trained: Trained, stream: str, device: torch.device, wanted: set[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """The `wanted` scenes of the split with their u8 (H, W, 3) images. All are generated: dropout may be drawn."""
    from cenbench.evaluate.score_translation import generated
    from cenbench.metrics.images import to_uint8
    from cenbench.train.translation import load

    place, number = cell.streams.index(stream), 0
    for image_BSCHW, _ in generated(load(cell, trained, device), cell, prepared, device):
        for image_HWC in to_uint8(image_BSCHW[:, place]).permute(0, 2, 3, 1).cpu().numpy():
            if number in wanted:
                yield number, image_HWC
            number += 1
