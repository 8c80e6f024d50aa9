"""The claims as HTML, LaTeX and JSON, and their effects for `dvc metrics`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cenbench.report import claim_texts
from cenbench.report.claims import Claims
from cenbench.report.environment import latex_templates, page_templates
from cenbench.report.render_json import file_name

FORMAT = 1
_TEXTS = {
    name: getattr(claim_texts, name)
    for name in ("effect_text", "interval_text", "margin_text", "metric_text", "seeds_text", "share_text")
}


def render_claims_html(claims: Claims) -> str:
    """The page of the claims."""
    return page_templates().get_template("claims.html").render(claims=claims, **_TEXTS)


def render_claims_latex(claims: Claims) -> str:
    """A table of the judged claims; compiles on its own and can be included with \\input."""
    return latex_templates().get_template("claims.tex").render(claims=claims, **_TEXTS)


def render_claims_json(claims: Claims) -> dict[str, Any]:
    """Everything that the page shows, as plain values."""
    return {
        "format": FORMAT,
        "preset": claims.preset,
        "words": claims.words,
        "claims": [asdict(claim) for claim in claims.claims],
    }


def claim_files(claims: Claims) -> dict[str, dict[str, Any]]:
    """File -> numbers, for `dvc metrics`: one file per judged claim, and `summary.json` with how many get each word."""
    judged = {
        f"{file_name(claim.name)}.json": {
            "verdict": claim.word,
            "effect": claim.comparison.effect,
            "low": claim.comparison.interval[0],
            "high": claim.comparison.interval[1],
            "seeds": claim.seeds,
            **({"late": "declared after numbers were seen"} if claim.declared == "after numbers were seen" else {}),
        }
        for claim in claims.claims
        if claim.comparison is not None
    }
    return {**judged, "summary.json": {"claims": len(claims.claims), **claims.words}}
