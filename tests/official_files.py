"""Small stand-ins for the published datasets, in exactly their formats: byte layouts, axis orders, names, lists.

A stand-in is one raw folder and what reading it must give. `tests/test_data_official.py` puts every one of
`STAND_INS` through the same suite; a new dataset adds its own here (from a file `official_NAME.py` beside this one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cenbench.matrix.specs import DatasetSpec


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a raw folder, and how the user hears of it."""

    damage: Callable[[Path], object]
    """Spoils a raw folder that `StandIn.write` has made."""
    message: str
    """Regular expression the `UserError` must match."""
    names: tuple[str, ...] = ()
    """Files or ids the message must name, every one."""


@dataclass(frozen=True)
class StandIn:
    """One raw folder in a published format."""

    label: str
    """Dataset and layout, e.g. `nyudv2-mat`."""
    spec: DatasetSpec
    write: Callable[[Path], object]
    """Fills an empty raw folder; at least 12 samples, so that there is more than one shard (of 8)."""
    expected: Callable[[], list[dict[str, np.ndarray]]]
    """Arrays by modality of every prepared scene in order, by a formula that shares no code with the adapter."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """At least: a file missing, one truncated, an odd size, another bit depth, labels out of range if labelled."""
    excludes: Mapping[str, tuple[Callable[[Path], object], dict[str, str]]] = field(default_factory=dict)
    """What spoils samples without stopping anything -> {id: regular expression of the reason} in the manifest."""


STAND_INS: list[StandIn] = []
