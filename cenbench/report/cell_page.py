"""The page of one cell: its numbers, curves, sample predictions, log and configuration, and how to rerun it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cenbench.data.png_uri import png_uri
from cenbench.errors import UserError
from cenbench.matrix.metrics import metrics
from cenbench.paths import record_target
from cenbench.records.read import CellRecord
from cenbench.regular_file import open_regular
from cenbench.report.attraction_note import attraction_note
from cenbench.report.cell_context import CellContext
from cenbench.report.cell_sources import CellSources
from cenbench.report.corollary_note import corollary_note
from cenbench.report.curves import history_problem, read_history, training_charts
from cenbench.report.environment import page_templates
from cenbench.report.exchange_note import exchange_note, exchange_text
from cenbench.report.siblings import seeds_stream, siblings
from cenbench.report.value import heading, is_imported, number_text

LOG_LINES = 200
_LOG_BYTES = 2**20


def render_cell_page(preset: str, record: CellRecord, context: CellContext, sources: CellSources | None = None) -> str:
    """The cell's page as HTML; `context` is its place in its tables, `sources` has its siblings' and seeds' records."""
    cell = record.cell
    sources = sources or CellSources({cell.id: record})
    history = sources.history(cell.id) or read_history(record.history)
    seeds_spread = sources.spread(tuple(context.seeds.values()), tuple(history))
    measured = {metric for values in record.metrics.values() for metric in values}
    page = page_templates().get_template("cell.html")
    return page.render(
        preset=preset,
        record=record,
        cell=cell,
        context=context,
        number_text=number_text,
        classes=_classes(record),
        heading=heading,
        metrics=[metric for metric in metrics() if metric in measured],
        stand_ins=list(dict.fromkeys(record.stand_in.values())),
        parameters=_parameters(record.document.get("parameters", {})),
        exchange=exchange_text(record.exchange),
        exchange_note=exchange_note(record.exchange),
        attraction_note=attraction_note(record),
        corollary_note=corollary_note(preset, cell),
        charts=training_charts(history, seeds_spread.bands),
        no_curves=_no_curves(record) if not history else "",
        curves_of=seeds_spread.seeds,
        siblings=siblings(context, cell.id, sources.records, preset),
        seeds=sources.seeds(tuple(context.seeds.items()), seeds_stream(context, record), context.metrics),
        pages=sources.pages,
        samples=_samples(record),
        legend=sources.legend(record),
        sample_title=_sample_title,
        shown=[*cell.task.inputs, f"target ({cell.task.target})", *cell.streams],
        commands=_commands(preset, record),
        imported=_imported(record.provenance),
        environment=_environment(record.provenance),
        provenance=_known(_flat(record.provenance)),
        configuration=_known(_flat(cell.model_dump(mode="json"))),
        log=_log(record.log) if record.log else "",
    )


def _no_curves(record: CellRecord) -> str:
    """Why a finished cell that was trained here shows no curves; empty for any other."""
    return history_problem(record.history) if record.state == "ok" and not is_imported(record) else ""


def _classes(record: CellRecord) -> dict[str, dict[str, float | None]]:
    """Class -> output -> IoU in percent."""
    scores = record.document.get("per_class_iou_pct", {})
    names = dict.fromkeys(name for values in scores.values() for name in values)
    return {name: {stream: values.get(name) for stream, values in scores.items()} for name in names}


def _known(flat: Mapping[str, str]) -> dict[str, str]:
    """What has a value."""
    return {name: value for name, value in flat.items() if value not in ("None", "", "{}")}


def _log(path: Path) -> str:
    """The end of a log; empty if it cannot be read."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_BYTES))
            data = file.read()
    except UserError:
        return ""
    return "\n".join(data.decode("utf-8", "replace").splitlines()[-LOG_LINES:])


def _samples(record: CellRecord) -> dict[str, str]:
    """File name -> picture as a data URI, so that a copied page is complete."""
    pictures = {Path(name).name: record.read_file(name) for name in record.samples}
    return {name: png_uri(data) for name, data in pictures.items() if data}


_WHY = {
    "thin": "most thin objects",
    "dark": "darkest",
    "bright": "brightest",
    "detail": "most detail in the target",
}
"""Why a hard scene was chosen (`cenbench.evaluate.hard_scenes`)."""


def _sample_title(name: str) -> str:
    """`thin-0034.png` -> scene 34 (most thin objects)."""
    why, _, number = Path(name).stem.rpartition("-")
    scene = f"scene {int(number)}" if number.isdigit() else name
    return f"{scene} ({_WHY.get(why, why)})" if why else scene


def _parameters(counts: Mapping[str, Any]) -> str:
    if not counts:
        return ""
    weights = ", ".join(f"{name} {weight:.3f}" for name, weight in counts.get("ensemble_weights", {}).items())
    sentences = [f"Parameters: {counts['total']:,}"]
    if "fusion" in counts:  # records of older versions hold only the total
        sentences = [f"{sentences[0]}, of which {counts['fusion']:,} for fusion"]
        sentences.append(f"Forward pass of one scene: {counts['flops'] / 1e9:,.2f} GFLOP")
    return ". ".join([*sentences, *([f"Ensemble weights: {weights}"] if weights else [])]) + "."


def _imported(provenance: Mapping[str, Any]) -> str:
    """Where the weights came from, if the cell was not trained here; empty otherwise."""
    source = provenance.get("imported")
    return f"imported from {source['file']} (sha256 {source['sha256']}), not trained here" if source else ""


def _environment(provenance: Mapping[str, Any]) -> str:
    """Whether the installed packages matched constraints.txt; empty for older records, which do not state it."""
    found = provenance.get("environment")
    if not isinstance(found, Mapping) or "locked" not in found:
        return ""
    if found["locked"]:
        return f"Environment: as locked in constraints.txt (sha256 {found['constraints_sha256']})."
    differs = ", ".join(f"{name} {versions}" for name, versions in found["differs"].items())
    return f"Environment: not as locked: {differs or 'the checkout had no constraints.txt'}."


def _commands(preset: str, record: CellRecord) -> str:
    revision = record.provenance.get("revision")
    checkout = [f"git checkout {revision}"] if revision else []
    run = f"snakemake {record_target(record.cell)} --config preset={preset}"
    if source := record.provenance.get("imported"):
        run = f"cenbench import-checkpoint {shlex.quote(source['file'])} '{record.cell.id}' --preset {preset}"
    return "\n".join([*checkout, run])


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested keys joined by dots; lists as text."""
    flat: dict[str, str] = {}
    for name, value in document.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{key}.")
        else:
            flat[key] = str(value)
    return flat
