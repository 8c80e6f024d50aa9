"""Describe a prepared dataset for other tools: Croissant 1.0 metadata (mlcommons.org/croissant), as JSON-LD.

The document lies beside the manifest and is derived from it, so no digest covers it. Croissant has no reader for NumPy
arrays: they are listed as files with their SHA-256. Modalities, splits and classes are records in the document.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cenbench.data.manifest import Manifest
from cenbench.files import write_json
from cenbench.matrix.specs import dataset_key

CROISSANT = "croissant.json"
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "field": "cr:field",
    "recordSet": "cr:recordSet",
    "sc": "https://schema.org/",
}


def write_croissant(folder: Path, manifest: Manifest) -> None:
    """Write `folder/croissant.json`."""
    write_json(folder / CROISSANT, croissant(manifest))


def croissant(manifest: Manifest) -> dict[str, Any]:
    """The JSON-LD document of a prepared dataset."""
    height, width = manifest.size_px
    sizes = {str(split): stop - start for split, (start, stop) in manifest.splits.items()}
    words = {"train": "training", "val": "validation"}
    scenes = ", ".join(f"{size} {words.get(split, split)}" for split, size in sizes.items())
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset_key(manifest.spec),
        "description": f"{manifest.name} as cenbench prepared it: {scenes} scenes, "
        f"{width} x {height} pixels, aligned modalities {', '.join(manifest.modalities)}.",
        "version": f"{manifest.version}.0.0",
        "license": manifest.licence,
        "citeAs": manifest.citation,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "contentSize": f"{entry.bytes} B",
                "encodingFormat": "application/octet-stream",
                "sha256": entry.sha256,
            }
            for name, entry in sorted(manifest.files.items())
        ],
        "recordSet": _record_sets(manifest),
    }


def _record_sets(manifest: Manifest) -> list[dict[str, Any]]:
    modalities = [
        {
            "name": name,
            "file": entry.file,
            "dtype": entry.dtype,
            "shape": " x ".join(str(side) for side in entry.shape),
            "unit": entry.unit,
            "smallest": entry.range[0],
            "largest": entry.range[1],
            "missing": "" if entry.missing is None else str(entry.missing),
        }
        for name, entry in manifest.modalities.items()
    ]
    splits = [
        {"name": name, "first": start, "scenes": stop - start}
        for name, (start, stop) in sorted(manifest.splits.items(), key=lambda split: split[1])
    ]
    classes = [{"label": label, "name": name} for label, name in enumerate(manifest.classes)]
    described: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "modalities": (
            "One array per modality, scenes first; `missing` is the value of pixels that were not measured.",
            modalities,
        ),
        "splits": ("Which rows of every array belong to a split.", splits),
        "classes": (f"Labels of `semantic`; {manifest.void} is void: not trained on, not scored.", classes),
    }
    return [_record_set(name, text, records) for name, (text, records) in described.items() if records]


def _record_set(name: str, description: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Records given in the document itself; a field's id is `set/field`, as Croissant requires."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{key}",
                "name": key,
                "dataType": "sc:Integer" if isinstance(value, int) else "sc:Text",
            }
            for key, value in records[0].items()
        ],
        "data": [{f"{name}/{key}": value for key, value in record.items()} for record in records],
    }
