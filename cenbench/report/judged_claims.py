"""The judged claims of a preset as the index shows them: read from claims.json, which may be damaged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_json_object
from cenbench.matrix.metrics import metrics
from cenbench.regular_file import is_there
from cenbench.report.claim_texts import OVER_IMAGES, effect_number
from cenbench.report.interval_mark import IntervalMark, interval_mark, reach
from cenbench.report.render_claims import FORMAT

_LEANING = {"holds": "for", "contradicted": "against", "equal within the margin": "open", "undecided": "open"}
_MOST = {"holds": 8, "contradicted": 8, "equal within the margin": 3, "undecided": 3}
"""How many claims of each word the index shows; the claims' page has all."""


@dataclass(frozen=True)
class JudgedLine:
    """One claim: its verdict, its effect and the picture of its interval."""

    text: str
    output: str
    word: str
    leaning: str
    effect: str
    mark: IntervalMark


@dataclass(frozen=True)
class JudgedClaims:
    words: Mapping[str, int]
    """How many claims get each word."""
    lines: tuple[JudgedLine, ...]
    """The first of those that hold, then of those that are contradicted, then of the undecided ones."""
    page: str | None
    """The file beside them with all claims. Of published claims, whose page is not committed, the report in words."""


@dataclass(frozen=True)
class _Read:
    text: str
    metric: str
    stream: str
    word: str
    margin: float
    effect: float
    interval: tuple[float, float]
    over: str
    """What the interval is over, where that is not the seeds."""


def read_judged(path: Path) -> JudgedClaims | None:
    """None for a file that is damaged, or of another version or preset; a claim that cannot be read is left out."""
    try:
        document = read_json_object(path)
        if document["format"] != FORMAT or document.get("preset") not in (None, path.parent.name):
            return None
        counts = {str(word): int(count) for word, count in dict(document["words"]).items()}
        words = {word: counts[word] for word in sorted(counts, key=lambda word: [*_LEANING, word].index(word))}
        found = [claim for one in document["claims"] if (claim := _read(one)) is not None]
    except (UserError, KeyError, TypeError, ValueError):
        return None
    shown = [claim for word, most in _MOST.items() for claim in [one for one in found if one.word == word][:most]]
    page = next((name for name in ("claims.html", "README.md") if is_there(path.with_name(name))), None)
    return JudgedClaims(words, tuple(_lines(shown)), page) if words else None


def _read(claim: Any) -> _Read | None:
    """One claim with an effect; None for every other."""
    try:
        alone = claim["comparison"] is None
        shown = claim["one_seed"] if alone else claim["comparison"]
        low, high = map(float, shown["images" if alone else "interval"])
        found = _Read(
            str(claim["text"]),
            str(claim["metric"]),
            str(claim["stream"]),
            str(claim["word"]),
            0.0 if claim["margin"] is None else float(claim["margin"]),
            float(shown["effect"]),
            (low, high),
            OVER_IMAGES if alone else "",
        )
    except (KeyError, TypeError, ValueError):
        return None
    numbers = (found.effect, found.margin, *found.interval)
    return found if found.word in _LEANING and found.metric in metrics() and all(map(math.isfinite, numbers)) else None


def _lines(claims: list[_Read]) -> Iterator[JudgedLine]:
    ends: dict[str, list[float]] = {}
    for claim in claims:
        ends.setdefault(claim.metric, []).extend((claim.effect, claim.margin, *claim.interval))
    for claim in claims:
        low, high = (effect_number(claim.metric, end) for end in claim.interval)
        yield JudgedLine(
            claim.text,
            f"{metrics()[claim.metric].title}, {claim.stream}",
            claim.word,
            _LEANING[claim.word],
            f"{effect_number(claim.metric, claim.effect)} [{low}, {high}]{claim.over}",
            interval_mark(claim.effect, claim.interval, reach(ends[claim.metric]), claim.margin),
        )
