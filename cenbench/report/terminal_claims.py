"""The claims in a terminal: what they need, and what the seeds show."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.report.claim_texts import effect_text, margin_text, metric_text, seeds_text
from cenbench.report.claims import Claims
from cenbench.report.terminal import add_row, borderless, literal

_STYLES = {"holds": "bold green", "contradicted": "bold red"}


def render_claims(claims: Claims) -> RenderableType:
    """One line per claim that the preset judges, then why the others are not."""
    table = borderless("claim", "metric", ">effect [95 %]", ">margin", "evidence", "verdict", "why")
    for claim in claims.judged:
        late = "; declared after numbers were seen" if claim.declared == "after numbers were seen" else ""
        add_row(
            table, claim.name, metric_text(claim), effect_text(claim), margin_text(claim), seeds_text(claim),
            literal(claim.word, _STYLES.get(claim.word, "")), claim.why + late,
        )  # fmt: skip
    words = ", ".join(f"{count} {word}" for word, count in claims.words.items())
    others = borderless("not judged", "why")
    for claim in claims.others:
        add_row(others, claim.name, claim.why)
    below = [Text(), others] if claims.others else [Text()]
    return Group(table, Text(), literal(f"preset {claims.preset}: {words}"), *below)


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
