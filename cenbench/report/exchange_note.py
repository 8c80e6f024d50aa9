"""Whether a finished cell exchanges at all, in words: what users of the released code ask first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cenbench.matrix.cell import ENSEMBLE
from cenbench.records.read import CellRecord

_ALMOST_ALL = 0.9
_SEE = "docs/exchange.md; `cenbench suggest-lambda` proposes lambda and theta"


def exchange_note(exchange: Mapping[str, Any]) -> str:
    """What is unusual about a record's `exchange`: no channel or more than 90 % of them are replaced, for all
    modalities or for one. Empty where nothing is, and for networks that do not exchange.
    """
    overall: Mapping[str, float] = exchange.get("overall", {})
    shares = {name: share for name, share in overall.items() if name != ENSEMBLE}
    if not shares:
        return ""
    if not any(shares.values()):
        return f"exchanges no channel, because no |gamma| is under theta: it is a network without exchange ({_SEE})"
    none = [name for name, share in shares.items() if share == 0]
    most = [f"{100 * share:.1f} % of {name}" for name, share in shares.items() if share > _ALMOST_ALL]
    parts = [f"exchanges no channel of {', '.join(none)}"] if none else []
    parts += [f"exchanges {', '.join(most)}, so little of its own is left"] if most else []
    return f"{'; '.join(parts)} ({_SEE})" if parts else ""


def exchange_text(exchange: Mapping[str, Any]) -> str:
    """The shares of a record's `exchange` in one sentence; empty for networks that do not exchange."""
    overall: Mapping[str, float] = exchange.get("overall", {})
    if not overall:
        return ""
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in overall.items() if name != ENSEMBLE)
    return f"Exchanged channels: {shares}"


def exchange_notes(records: Iterable[CellRecord]) -> tuple[str, ...]:
    """The notes of several cells: how many have each, and the first of them by its id."""
    cells: dict[str, list[str]] = {}
    for record in records:
        if note := exchange_note(record.exchange):
            cells.setdefault(note, []).append(record.cell.id)
    return tuple(f"{len(ids)} of the cells {note}; the first is {ids[0]}" for note, ids in cells.items())
