"""A table's card on the index: its finding in one sentence, how far it is, and a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cenbench.records.read import CellRecord
from cenbench.report.table import Table
from cenbench.report.table_claims import TableClaim

_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]*")
_TEXTS = ("finding", "progress", "dataset", "device")


def card(table: Table, records: Mapping[str, CellRecord], claims: Sequence[TableClaim], picture: str) -> dict[str, Any]:
    """Plain values, for the table's JSON; no times, so that the same cells give the same bytes."""
    cells = [records[cell.id] for cell in table.layout.cells]
    done = [record for record in cells if record.state == "ok"]
    datasets = dict.fromkeys(f"{record.cell.dataset.name}, {record.cell.dataset.size_px} px" for record in cells)
    devices = dict.fromkeys(str(record.provenance["device"]) for record in done if record.provenance.get("device"))
    return {
        "finding": finding(claims),
        "progress": f"{len(done)} of {len(cells)} cells",
        "dataset": "; ".join(datasets),
        "device": ", ".join(devices),
        "picture": picture,
    }


def finding(claims: Sequence[TableClaim]) -> str:
    """One sentence about the claims that the table decides; empty without any."""
    measured = [claim for claim in claims if claim.effect is not None]
    if not measured:
        return ""
    first = next((claim for claim in measured if claim.leaning != "open"), measured[0])
    word = {"for": "Shown here", "against": "The opposite is seen here", "open": "Open here"}[first.leaning]
    favoured = sum((claim.effect or 0) > 0 for claim in measured)
    return (
        f"{word}: {first.text.rstrip('.')} ({first.effect_text}). "
        f"{favoured} of {len(measured)} claims point the paper's way."
    )


def readable_card(found: object) -> dict[str, str]:
    """A card read back from a file: texts, and a picture only if it is one. Empty texts where the file has none."""
    known = found if isinstance(found, Mapping) else {}
    texts = {name: value if isinstance(value := known.get(name), str) else "" for name in _TEXTS}
    picture = known.get("picture")
    is_picture = isinstance(picture, str) and _PICTURE.fullmatch(picture) is not None
    return texts | {"picture": str(picture) if is_picture else ""}
