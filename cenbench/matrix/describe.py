"""The words a table is read with: row labels, and the lines under it that say how its numbers were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cenbench.matrix.layout import Slot
from cenbench.matrix.preset import Preset, Segmentation, Translation
from cenbench.matrix.specs import DatasetSpec, SegmentationProtocol, TranslationProtocol
from cenbench.matrix.table import Entry, GroupSpec, RowSpec, TableSpec

_WORDS = {
    ("l1", "none"): "-",
    ("l1", "half"): "Half-channel",
    ("l1", "all"): "All-channel",
    ("exchange", False): "-",
    ("exchange", True): "yes",
    ("stream", "rgb"): "RGB",
}


def row_labels(spec: TableSpec, group: GroupSpec | None, row: RowSpec) -> tuple[str, ...]:
    """The row's own labels, or the words of its terms under the headings of the stub, with what it overrides."""
    if row.labels is not None:
        return row.labels
    *first, last = _term_labels(spec, group, row)
    overridden = _overridden(row)
    return (*first, f"{last} ({overridden})" if overridden else last)


def _term_labels(spec: TableSpec, group: GroupSpec | None, row: RowSpec) -> tuple[str, ...]:
    layers: Sequence[Entry] = [each for each in (row, group, spec.defaults) if each is not None]
    return tuple(_word(stub.shows, (getattr(each, stub.shows) for each in layers)) for stub in spec.stub)


def _word(term: str, values: Iterable[Any]) -> str:
    value = next((each for each in values if each is not None), None)
    if value is None:
        return ""
    return _WORDS.get((term, value)) or str(value).replace("_", " ").capitalize()


def protocol_lines(preset: Preset, slots: Sequence[Slot]) -> tuple[str, ...]:
    """How the numbers of these slots are made under this preset: dataset, network, protocol, evaluation, seeds."""
    lines_of = {"segmentation": _segmentation(preset.segmentation), "translation": _translation(preset.translation)}
    kinds = dict.fromkeys(cell.task.kind for slot in slots for cell in slot.cells)
    many = f"{len(preset.seeds)} seeds" if len(preset.seeds) > 1 else "one seed"
    seeds = ", ".join(str(seed) for seed in preset.seeds)
    return (*(lines_of[kind] for kind in kinds), f"Preset {preset.name}, {many} ({seeds}).")


def _segmentation(parts: Segmentation) -> str:
    network, protocol = parts.network, parts.protocol
    rates = ", ".join(f"{phase.epochs} at {phase.lr_encoder:g}/{phase.lr_decoder:g}" for phase in protocol.phases)
    start = "ImageNet weights" if network.pretrained else "random start"
    widths = f"width {network.width}, decoder {network.decoder_width}, {start}"
    return (
        f"{_dataset(parts.dataset)}. RefineNet on ResNet-{network.depth} ({widths}). "
        f"{_training(protocol)}; SGD, epochs at encoder/decoder learning rate {rates}. "
        "Single-scale evaluation, last checkpoint."
    )


def _translation(parts: Translation) -> str:
    network, protocol, evaluation = parts.network, parts.protocol, parts.evaluation
    stand_in = " (a stand-in: never comparable with the paper)" if evaluation.extractor == "seeded-conv" else ""
    subsets = f"{evaluation.kid_subsets} subsets of {evaluation.kid_subset_size}, seed {evaluation.kid_seed}"
    return (
        f"{_dataset(parts.dataset)}. U-Net of {network.levels} levels (width {network.generator_width}), "
        f"PatchGAN discriminator (width {network.discriminator_width}). "
        f"{_training(protocol)}; Adam, {protocol.epochs} epochs at learning rate {protocol.lr:g}. "
        f"FID and KID from {evaluation.extractor} features{stand_in}; KID x100 over {subsets}; last checkpoint."
    )


def _training(protocol: SegmentationProtocol | TranslationProtocol) -> str:
    return (
        f"Protocol {protocol.name}: batch {protocol.batch_size}, crop {protocol.crop_px} px, "
        f"lambda {protocol.lambda_l1:g}, theta {protocol.theta:g}, {protocol.precision}"
    )


def _dataset(dataset: DatasetSpec) -> str:
    size = " x ".join(str(side) for side in dict.fromkeys(dataset.shape_px))
    return f"{dataset.name} at {size} px, {dataset.train_scenes} training and {dataset.val_scenes} validation scenes"


def override_lines(spec: TableSpec) -> tuple[str, ...]:
    """What single groups, rows and columns do otherwise than the preset."""
    entries: list[tuple[str, Entry]] = [("All of this table", spec.defaults)]
    for group in spec.groups:
        entries += [(group.label, group), *((_row_name(spec, group, row), row) for row in group.rows)]
    entries += [(_row_name(spec, None, row), row) for row in spec.rows]
    entries += [(column.label, column) for column in spec.columns]
    return tuple(f"{name}: {said}." for name, entry in entries if (said := _overridden(entry)))


def _row_name(spec: TableSpec, group: GroupSpec | None, row: RowSpec) -> str:
    labels = row.labels or _term_labels(spec, group, row)
    return " / ".join([*([group.label] if group else []), *labels])


def _overridden(entry: Entry) -> str:
    parts = entry.override.model_dump(exclude_defaults=True)
    return ", ".join(f"{part}.{key} {value}" for part, keys in parts.items() for key, value in keys.items())
