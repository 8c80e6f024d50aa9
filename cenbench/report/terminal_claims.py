"""The claims in a terminal: what they need, and what the seeds show."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.report.claim_texts import effect_text, margin_text, metric_text, seeds_text
from cenbench.report.claims import Claims, JudgedClaim
from cenbench.report.terminal import add_row, borderless, literal

_STYLES = {"holds": "bold green", "contradicted": "bold red"}
_LATE, _MARK = "after numbers were seen", "*"
_WIDE = 150
"""Characters from which on a claim fits a line."""


def render_claims(claims: Claims, width: int) -> RenderableType:
    """Every claim that the preset judges, those with an effect first, then why the others are not judged.

    In a terminal `width` characters wide: one line per claim if that fits, otherwise a line with its details below.
    """
    ordered = sorted(claims.judged, key=lambda claim: claim.effect is None and claim.word == "undecided")
    table = _wide(ordered) if width >= _WIDE else _narrow(ordered)
    late = any(claim.declared == _LATE for claim in ordered)
    words = ", ".join(f"{count} {word}" for word, count in claims.words.items())
    parts: list[RenderableType] = [table, Text(), literal(f"preset {claims.preset}: {words}")]
    if late:
        parts.append(literal(f"{_MARK} declared {_LATE}", "dim"))
    if claims.unregistered is not None:
        parts.append(literal(claims.unregistered, "bold"))
    if claims.others:
        others = borderless("not judged", "why")
        for claim in claims.others:
            add_row(others, claim.name, claim.why)
        parts += [Text(), others]
    return Group(*parts)


def _wide(claims: Sequence[JudgedClaim]) -> Table:
    table = borderless("claim", "metric", ">effect [95 %]", ">margin", "evidence", "verdict", "why")
    table.columns[0].no_wrap = True  # a name is copied whole
    for claim in claims:
        add_row(
            table, claim.name, metric_text(claim), effect_text(claim), margin_text(claim), seeds_text(claim),
            _word(claim), claim.why,
        )  # fmt: skip
    return table


def _narrow(claims: Sequence[JudgedClaim]) -> Table:
    table = borderless("verdict", "claim")
    table.columns[0].min_width = table.columns[0].max_width = len("contradicted") + 2
    for claim in claims:
        first = "  ".join(filter(None, [claim.name, effect_text(claim)]))
        margin = f"margin {margin_text(claim)}" if claim.margin is not None else ""
        evidence = seeds_text(claim) if claim.effect is not None else ""
        details = "; ".join(filter(None, [metric_text(claim), margin, evidence, claim.why]))
        add_row(table, _word(claim), Text("\n").join([literal(first), literal(details, "dim")]))
    return table


def _word(claim: JudgedClaim) -> Text:
    """The verdict, marked where the claim was not declared before its numbers."""
    mark = f" {_MARK}" if claim.declared == _LATE else ""
    return literal(f"{claim.word}{mark}", _STYLES.get(claim.word, ""))


def render_needs(planned: Sequence[PlannedClaim]) -> Table:
    """What each claim of a preset needs; those that it cannot judge have one line for each reason."""
    table = borderless("claim", ">cells", ">settings", "needs", title="claims")
    reasons: dict[str, list[str]] = {}
    for claim in planned:
        if claim.why_not is not None:
            reasons.setdefault(claim.why_not, []).append(claim.name)
            continue
        under = f" under {claim.spec.under.condition.key}" if claim.spec.under else ""
        where = ", ".join((*claim.spec.tables, *claim.spec.figures))
        what = f"{claim.spec.metric} of {claim.stream}{under}" if claim.spec.check is None else "checked exactly"
        add_row(table, claim.name, len(claim.cells), len(claim.settings), f"{where}: {what}")
    for reason, names in reasons.items():
        add_row(table, ", ".join(names) if len(names) <= 3 else f"{len(names)} claims", "", "", reason)
    return table
