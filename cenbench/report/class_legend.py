"""The colours of a dataset's classes, as the sample pictures of segmentation show them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cenbench.data.contact_sheet import label_colours
from cenbench.data.manifest import read_manifest
from cenbench.errors import UserError
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.read import CellRecord

Legend = tuple[tuple[str, str], ...]
"""Name of each class -> its colour (#rrggbb)."""
VOID = (0, 0, 0)
_VOID_ENTRY = ("void", "#000000")
_DEPTH_OF_A_RECORD = 3
"""results/cells/<cell id>, below the checkout."""


def class_names(record: CellRecord) -> tuple[str, ...]:
    """In the order of their labels, as the dataset has them: the record's JSON has them by the alphabet. None of them
    where the dataset is not here.
    """
    if len(record.folder.parents) < _DEPTH_OF_A_RECORD:
        return ()
    root = record.folder.parents[_DEPTH_OF_A_RECORD - 1]
    try:
        return read_manifest(Paths(root).data / dataset_key(record.cell.dataset)).classes
    except UserError:
        return ()


def class_legend(names: tuple[str, ...]) -> Legend:
    """Every class, and void; empty without classes."""
    return (*_coloured(names), _VOID_ENTRY) if names else ()


def shown_classes(names: tuple[str, ...], pictures_HW3: Iterable[np.ndarray]) -> Legend:
    """The classes that some of these u8 pictures show, and void if one does."""
    shown = {tuple(colour) for picture in pictures_HW3 for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()}
    found = [(name, colour) for name, colour in _coloured(names) if _rgb(colour) in shown]
    return (*found, *([_VOID_ENTRY] if VOID in shown else []))


def _coloured(names: tuple[str, ...]) -> list[tuple[str, str]]:
    colours = label_colours(np.arange(len(names))[None])[0].tolist()
    return [(name, "#{:02x}{:02x}{:02x}".format(*colour)) for name, colour in zip(names, colours, strict=True)]


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))
