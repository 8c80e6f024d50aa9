"""A finished cell's predictions on the validation split, as picture files. The same call resumes an interrupted one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from cenbench.data.progress import counting
from cenbench.errors import UserError
from cenbench.evaluate.prediction_files import PredictionFiles, png
from cenbench.evaluate.task import evaluation_of
from cenbench.files import read_json, write_bytes, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.matrix.validation import spelling_hint
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from cenbench.train.train_cell import load_network
from cenbench.train.trained import Trained

NOTE = "predictions.json"


def export_predictions(
    setup: Setup, trained: Trained, evaluation_code: str, out: Path, stream: str, *, bar: bool = False
) -> int:
    """Write one PNG per scene of the evaluated split into `out`, and `predictions.json`; returns how many.

    Segmentation: the labels of `stream` in the dataset's own format (`prediction_files.py`), the same from which its
    published scores were counted. Translation: the generated image, [-1, 1] as 0..255. Pictures already present that
    the same weights made are kept.

    `stream` is one of the cell's (`check_stream`). Raises `UserError` where `out` holds other predictions.
    """
    cell, prepared = setup.cell, setup.prepared
    task = evaluation_of(cell)
    files = task.prediction_files(cell.dataset.name)
    names = [_file_name(files, prepared.scene_name(int(row))) for row in prepared.indices(cell.evaluation.split)]
    note = _note(cell, trained, stream, evaluation_code, files)
    _begin(out, note)
    wanted = {number for number, name in enumerate(names) if not (out / name).is_file()}
    with counting(f"predicting {stream}", len(names) - len(wanted), len(names), bar) as advance:
        if wanted:
            network = load_network(training_of(cell), setup, trained)
            for number, picture in task.predict(setup, network, stream, wanted):
                write_bytes(out / names[number], png(files.encode(picture)))
                advance(1)
    write_json(out / NOTE, note | {"complete": True, "files": names})
    return len(names)


def check_stream(cell: Cell, stream: str) -> None:
    """Raises `UserError` unless the cell has an output of that name."""
    if stream not in cell.streams:
        hint = spelling_hint(stream, cell.streams)
        expected = ", ".join(cell.streams)
        raise UserError("this cell has no such output", key="--stream", found=stream, expected=expected, fix=hint)


def _note(cell: Cell, trained: Trained, stream: str, evaluation_code: str, files: PredictionFiles) -> dict[str, Any]:
    """Describes the pictures in a folder."""
    return {
        "cell_id": cell.id,
        "dataset": dataset_key(cell.dataset),
        "split": cell.evaluation.split,
        "stream": stream,
        "evaluation_code": evaluation_code,
        "weights_sha256": trained.weights_sha256,
        "values": files.values,
    }


def _begin(out: Path, note: dict[str, Any]) -> None:
    """Write what the folder is for before anything else; refuse one that is for something else."""
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


def _file_name(files: PredictionFiles, scene: str) -> str:
    if PurePosixPath(scene).is_absolute() or ".." in PurePosixPath(scene).parts:
        raise UserError("the name of a scene cannot name a file", found=scene, expected="a plain relative name")
    return files.name.format(scene=scene)
