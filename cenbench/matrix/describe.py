"""Text of a table: row labels, and the lines below it that describe how its numbers were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cenbench.matrix.cell import Cell
from cenbench.matrix.methods import methods
from cenbench.matrix.preset import Preset, Segmentation, Translation
from cenbench.matrix.specs import DatasetSpec, Evaluation, SegmentationEvaluation, TrainingProtocol
from cenbench.matrix.table import EntrySpec, GroupSpec, RowSpec, TableSpec, TermsSpec

_WORDS = {
    ("l1", "none"): "-",
    ("l1", "half"): "Half-channel",
    ("l1", "all"): "All-channel",
    ("exchange", False): "-",
    ("exchange", True): "yes",
    ("stream", "rgb"): "RGB",
    ("stage", "all"): "All stages",
}
_HEADS = {"refinenet": "RefineNet", "pspnet": "PSPNet"}
QUIRKS = {
    "freeze_norm_statistics": "frozen norm statistics",
    "lambda_per_head": "lambda once per output",
    "pad_depth_as_rgb": "depth padded with colour means",
    "two_generator_passes": "a separate generator pass for each loss",
    "crop_past_edge": "crops up to one pixel past the edge",
    "selection": "checkpoint chosen on validation",
    "dropout_at_test": "dropout at test",
    "instance_statistics_at_test": "per-image norm statistics at test",
    "stretch_images": "images stretched to 0..255 for FID and KID",
}
"""Quirk of the released code (`QUIRKS` in `specs.py`) -> its description below a table."""


def row_labels(spec: TableSpec, group: GroupSpec | None, row: RowSpec) -> tuple[str, ...]:
    """The row's own labels, or its terms in the order of the stub's headings, with what it overrides."""
    if row.labels is not None:
        return row.labels
    *first, last = _term_labels(spec, group, row)
    overridden = _overridden(row)
    return (*first, f"{last} ({overridden})" if overridden else last)


def _term_labels(spec: TableSpec, group: GroupSpec | None, row: RowSpec) -> tuple[str, ...]:
    entries: Sequence[EntrySpec] = [entry for entry in (row, group, spec.defaults) if entry is not None]
    return tuple(_word(stub.shows, (_stub_value(entry, stub.shows) for entry in entries)) for stub in spec.stub)


def _stub_value(entry: EntrySpec, term: str) -> Any:
    """The value an entry gives to a stub's term; `exchange` follows from `fusion`."""
    if term == "exchange":
        fusion = entry.term("fusion")
        return None if fusion not in methods() else methods()[fusion].acts == "norms"
    return entry.term(term)


def _word(term: str, values: Iterable[Any]) -> str:
    value = next((value for value in values if value is not None), None)
    if value is None:
        return ""
    if term == "fusion" and value in methods():
        return methods()[value].label
    return _WORDS.get((term, value)) or str(value).replace("_", " ").capitalize()


_OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}
_STARTS = {
    True: "ImageNet weights",
    False: "random start",
    "embedded": "start from an RGB network trained on scenes that no other split has",
}


def protocol_lines(preset: Preset, cells: Iterable[Cell]) -> tuple[str, ...]:
    """How this preset makes the numbers of these cells: dataset, network, protocol, evaluation, seeds."""
    lines_of = {"segmentation": _segmentation(preset.segmentation), "translation": _translation(preset.translation)}
    kinds = dict.fromkeys(cell.task.kind for cell in cells)
    many = f"{len(preset.seeds)} seeds" if len(preset.seeds) > 1 else "one seed"
    seeds = ", ".join(str(seed) for seed in preset.seeds)
    return (*(lines_of[kind] for kind in kinds), f"Preset {preset.name}, {many} ({seeds}).")


def _segmentation(parts: Segmentation) -> str:
    network, protocol = parts.network, parts.protocol
    rates = ", ".join(f"{phase.epochs} at {phase.lr_encoder:g}/{phase.lr_decoder:g}" for phase in protocol.phases)
    start = _STARTS[network.pretrained]
    widths = f"width {network.width}, decoder {network.decoder_width}, {start}"
    return (
        f"{_dataset(parts.dataset)}. {_HEADS[network.head]} on ResNet-{network.depth} ({widths}). "
        f"{_training(protocol, parts.evaluation)}; {_OPTIMIZERS[protocol.optimizer]}, "
        f"epochs at encoder/decoder learning rate {rates}{_schedule(protocol)}. "
        f"Evaluation: {_views(parts.evaluation)}; {_selected(protocol)}{_evaluated(parts.evaluation)}."
    )


def _translation(parts: Translation) -> str:
    network, protocol, evaluation = parts.network, parts.protocol, parts.evaluation
    stand_in = " (a stand-in: never comparable with the paper)" if evaluation.extractor == "seeded-conv" else ""
    ends = ", norms and exchange at every encoder convolution" if network.encoder_norms == "all" else ""
    subsets = f"{evaluation.kid_subsets} subsets of {evaluation.kid_subset_size}, seed {evaluation.kid_seed}"
    return (
        f"{_dataset(parts.dataset)}. U-Net of {network.levels} levels (width {network.generator_width}{ends}), "
        f"PatchGAN discriminator (width {network.discriminator_width}). "
        f"{_training(protocol, evaluation)}; Adam, {protocol.epochs} epochs at learning rate "
        f"{protocol.lr:g}{_schedule(protocol)}. "
        f"FID and KID from {evaluation.extractor} features{stand_in}; KID x100 over {subsets}; "
        f"{_selected(protocol)}{_evaluated(evaluation)}."
    )


def _schedule(protocol: TrainingProtocol) -> str:
    """How learning rates change within the training; empty if they do not."""
    warmup = f", warm-up of {protocol.warmup_steps} steps" if protocol.warmup_steps else ""
    return warmup + (", cosine" if protocol.schedule == "cosine" else "")


def _training(protocol: TrainingProtocol, evaluation: Evaluation) -> str:
    """The protocol's name, its quirks in training and in evaluation, and its main settings."""
    active = (*protocol.active_quirks, *evaluation.active_quirks)
    quirks = ", ".join(QUIRKS[quirk] for quirk in active) or "no quirks of the released code"
    own_part = ", exchange only within each modality's own part" if protocol.exchange_own_part_only else ""
    return (
        f"Protocol {protocol.name} ({quirks}{own_part}): batch {protocol.batch_size}, crop {protocol.crop_px} px, "
        f"lambda {protocol.lambda_l1:g}, theta {protocol.theta:g}, {protocol.precision}"
    )


def _views(evaluation: SegmentationEvaluation) -> str:
    """Scales and mirroring at which each image is evaluated."""
    if evaluation.scales == (1.0,) and not evaluation.flip:
        return "single-scale"
    scales = ", ".join(f"{scale:g}" for scale in evaluation.scales)
    mirror = " with mirror images" if evaluation.flip else ""
    return f"scale{'s' if len(evaluation.scales) > 1 else ''} {scales}{mirror}"


def _selected(protocol: TrainingProtocol) -> str:
    """Which checkpoint is evaluated."""
    if protocol.selection == "last":
        return "last checkpoint"
    every = protocol.select_every_epochs
    return f"best on validation every {f'{every} epochs' if every > 1 else 'epoch'}"


def _evaluated(evaluation: Evaluation) -> str:
    """Names the split and the norm statistics where they are not the validation split and the running ones."""
    split = "" if evaluation.split == "val" else f", on split {evaluation.split}"
    named = "" if evaluation.norm_statistics == "running" else f", {evaluation.norm_statistics} norm statistics"
    return split + named


def _dataset(dataset: DatasetSpec) -> str:
    size = " x ".join(str(side) for side in dict.fromkeys(dataset.shape_px))
    several = f" of {dataset.buildings} buildings" if dataset.buildings > 1 else ""
    scenes = f"{dataset.train_scenes} training and {dataset.val_scenes} validation scenes"
    return f"{dataset.name} at {size} px, {scenes}{several}"


def override_lines(spec: TableSpec) -> tuple[str, ...]:
    """Where groups, rows and columns depart from the preset."""
    entries: list[tuple[str, EntrySpec]] = [("Whole table", spec.defaults)]
    for group in spec.groups:
        entries += [(group.label, group), *((_row_name(spec, group, row), row) for row in group.rows)]
    entries += [(_row_name(spec, None, row), row) for row in spec.rows]
    entries += [(column.label, column) for column in spec.columns]
    return departures(entries)


def departures(entries: Iterable[tuple[str, TermsSpec]]) -> tuple[str, ...]:
    """A line for each of these named parts of a table or figure that departs from the preset."""
    return tuple(f"{name}: {overridden}." for name, entry in entries if (overridden := _overridden(entry)))


def _row_name(spec: TableSpec, group: GroupSpec | None, row: RowSpec) -> str:
    labels = row.labels or _term_labels(spec, group, row)
    return " / ".join([*([group.label] if group else []), *labels])


def _overridden(entry: TermsSpec) -> str:
    parts = entry.override.model_dump(exclude_defaults=True)
    return ", ".join(f"{part}.{key} {value}" for part, keys in parts.items() for key, value in keys.items())
