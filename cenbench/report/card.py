"""The card of a table or figure on the index: its finding in one sentence, how far it is, and a picture."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from cenbench.data.png_uri import png_uri
from cenbench.records.read import CellRecord
from cenbench.report.figures.figure import Figure
from cenbench.report.table import Table
from cenbench.report.table_claims import TableClaim

_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]*")
_TEXTS = ("finding", "progress", "dataset", "device", "date")
_FIGURE_PX = (400, 300)
"""Largest width and height of a figure's picture."""


def card(table: Table, records: Mapping[str, CellRecord], claims: Sequence[TableClaim], picture: str) -> dict[str, Any]:
    """Plain values, for the table's JSON."""
    facts = _facts([records[cell.id] for cell in table.layout.cells])
    return {"finding": finding(claims), **facts, "picture": picture}


def figure_card(figure: Figure, records: Mapping[str, CellRecord], png: bytes) -> dict[str, str]:
    """The same for a figure, whose finding is its first note; `png` is the drawn figure."""
    facts = _facts([records[cell.id] for cell in figure.layout.cells])
    return {"finding": figure.notes[0] if figure.notes else "", **facts, "picture": _thumbnail(png)}


def _facts(cells: Sequence[CellRecord]) -> dict[str, str]:
    done = [record for record in cells if record.state == "ok"]
    datasets = dict.fromkeys(f"{record.cell.dataset.name}, {record.cell.dataset.size_px} px" for record in cells)
    devices = dict.fromkeys(str(record.provenance["device"]) for record in done if record.provenance.get("device"))
    return {
        "progress": f"{len(done)} of {len(cells)} cells",
        "dataset": "; ".join(datasets),
        "device": ", ".join(devices),
        "date": max((str(record.provenance.get("finished", ""))[:10] for record in done), default=""),
    }


def _thumbnail(png: bytes) -> str:
    """A small picture of a figure as a data URI; the same bytes for the same figure."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail(_FIGURE_PX, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.quantize(64).save(buffer, format="PNG", optimize=True)
    return png_uri(buffer.getvalue())


_WORDS = {
    "holds": "Shown here",
    "contradicted": "The opposite is shown here",
    "equal within the margin": "Equal within the margin here",
}


def finding(claims: Sequence[TableClaim]) -> str:
    """One sentence about the claims that the table decides; empty without any."""
    measured = [claim for claim in claims if claim.effect is not None]
    if not measured:
        return ""
    first = next((claim for claim in measured if claim.leaning != "open"), measured[0])
    word = _WORDS.get(first.word or "", "Undecided here")
    favoured = sum((claim.effect or 0) > 0 for claim in measured)
    counted = f" {favoured} of {len(measured)} claims point the paper's way." if len(measured) > 1 else ""
    return f"{word}: {first.text.rstrip('.')} ({first.effect_text}).{counted}"


def readable_card(found: object) -> dict[str, str]:
    """A card read back from a file: texts, and a picture only if it is one. Empty texts where the file has none."""
    known = found if isinstance(found, Mapping) else {}
    texts = {name: value if isinstance(value := known.get(name), str) else "" for name in _TEXTS}
    picture = known.get("picture")
    is_picture = isinstance(picture, str) and _PICTURE.fullmatch(picture) is not None
    return texts | {"picture": str(picture) if is_picture else ""}
