"""Classes of which a large part is thin: legs, poles, signs. A depth sensor tends to miss them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

THIN: Mapping[str, tuple[str, ...]] = {
    "synthrooms": ("chair", "table", "lamp"),
    "nyudv2": ("chair", "table", "desk", "lamp"),
    "sunrgbd": ("chair", "table", "desk", "lamp"),
    "cityscapes": ("fence", "pole", "traffic light", "traffic sign"),
}
"""Dataset -> names of its thin classes. The supplement names legs of tables and chairs, and traffic signs."""


def thin_labels(dataset: str, classes: Sequence[str]) -> tuple[int, ...]:
    """Labels of the thin classes among `classes`, ascending; none for a dataset that declares none."""
    thin = THIN.get(dataset, ())
    return tuple(label for label, name in enumerate(classes) if name in thin)
