"""The claims as HTML, LaTeX and JSON, and their effects for `dvc metrics`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cenbench.report import claim_texts
from cenbench.report.claims import Claims
from cenbench.report.environment import latex_templates, page_templates
from cenbench.report.interval_mark import IntervalMark, interval_mark, reach
from cenbench.report.render_json import file_name
from cenbench.report.table_claims import LEANING

FORMAT = 1
_TEXTS = {
    f"{name}_text": getattr(claim_texts, f"{name}_text")
    for name in ("effect", "interval", "margin", "metric", "one_seed", "seeds", "share")
}


def render_claims_html(claims: Claims) -> str:
    """The page of the claims."""
    with_one_seed = [claim for claim in claims.judged if claim.one_seed is not None]
    waiting = [claim for claim in claims.judged if claim.effect is None and claim.word == "undecided"]
    page = page_templates().get_template("claims.html")
    return page.render(
        claims=claims,
        shown=[claim for claim in claims.judged if claim not in waiting and claim not in with_one_seed],
        with_one_seed=with_one_seed,
        waiting=waiting,
        marks=_marks(claims),
        leaning=LEANING,
        **_TEXTS,
    )


def _marks(claims: Claims) -> dict[str, IntervalMark]:
    """Name of each claim with an effect -> the picture of its interval; those of one metric have one scale."""
    drawn = {claim.name: (claim, *effect) for claim in claims.judged if (effect := claim.effect) is not None}
    ends: dict[str | None, list[float]] = {}
    for claim, mean, interval in drawn.values():
        ends.setdefault(claim.metric, []).extend((mean, claim.margin or 0.0, *(interval or ())))
    return {
        name: interval_mark(mean, interval, reach(ends[claim.metric]), claim.margin or 0.0)
        for name, (claim, mean, interval) in drawn.items()
    }


def render_claims_latex(claims: Claims) -> str:
    """A table of the judged claims; compiles on its own and can be included with \\input."""
    return latex_templates().get_template("claims.tex").render(claims=claims, **_TEXTS)


def render_claims_json(claims: Claims) -> dict[str, Any]:
    """Everything that the page shows, as plain values."""
    return {
        "format": FORMAT,
        "preset": claims.preset,
        "words": claims.words,
        **({} if claims.unregistered is None else {"unregistered": claims.unregistered}),
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
    checked = {
        f"{file_name(claim.name)}.json": {"verdict": claim.word, "checked": claim.finished, "cells": len(claim.cells)}
        for claim in claims.claims
        if claim.check is not None
    }
    return {**judged, **checked, "summary.json": {"claims": len(claims.claims), **claims.words}}
