"""The published claims of the study: the README's finding and table, and the whole table of the study's own report.

`python -m cenbench.report.readme_claims` writes them from `reports/study/claims.json`; a test fails if one is out of
date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_json_object, write_text
from cenbench.regular_file import Missing
from cenbench.report.claim_texts import effect_number
from cenbench.report.render_claims import FORMAT

PRESET = "study"
COMMAND = "python -m cenbench.report.readme_claims"
_LATE = "after numbers were seen"
_FOUND = {"exchange-over-none": "mean IoU by {} points", "fusion-over-parallel-translation": "its FID by {}"}
"""The claims of the README's first sentence on results, all of exchange against the same networks without it."""

_COUNTED = {
    "holds": "hold",
    "contradicted": "contradicted",
    "equal within the margin": "equal within the margin",
    "undecided": "undecided",
    "not measured yet": "not measured yet",
    "not judged here": "not judged in this preset",
}
"""Verdict -> the word behind the number of claims that have it, in the order shown."""


def read_published(root: Path) -> dict[str, Any] | None:
    """The published claims; None if the study has not been published. `UserError` for a file of another version."""
    path = root / "reports" / PRESET / "claims.json"
    try:
        document = read_json_object(path)
    except Missing:
        return None
    if document.get("format") != FORMAT:
        raise UserError("claims of another version", where=path, fix=f"cenbench claims --preset {PRESET} --write")
    return document


def parts(document: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """File -> name of each part that is written into it -> its text."""
    report = f"reports/{PRESET}/README.md"
    return {
        "README.md": {"finding": finding(document), "claims": claims_markdown(document, undecided=False)},
        report: {"claims": claims_markdown(document, undecided=True)},
    }


def finding(document: Mapping[str, Any] | None) -> str:
    """What exchange gives, with intervals: one sentence. What will show it, where it has not been measured."""
    claims = {claim["name"]: claim for claim in (document or {"claims": []})["claims"] if claim["comparison"]}
    if not _FOUND.keys() <= claims.keys():
        return f"Nothing is published yet: `snakemake everything --config preset={PRESET}` makes the study.\n"
    gains = " and ".join(text.format(_gain(claims[name])) for name, text in _FOUND.items())
    seeds = min(claims[name]["seeds"] for name in _FOUND)
    sentences = (
        f"**Exchanging channels improves the ensemble's {gains}**, against the same networks without exchange "
        f"(mean over settings, 95 % interval, {seeds} seeds; small networks on rendered rooms; FID with a stand-in for "
        "Inception). "
        f"[The whole study](reports/{PRESET}/README.md)."
    )
    return fill(sentences, width=120, break_on_hyphens=False) + "\n"


def claims_markdown(document: Mapping[str, Any] | None, *, undecided: bool) -> str:
    """The claims whose cells are all finished as a table, or a sentence where there is nothing to show yet."""
    lines = [] if document is None else list(_lines(document, undecided))
    if not lines:
        return (
            f"No claim is judged yet: the present declaration of `{PRESET}` has not been run.\n"
            f"`snakemake claims --config preset={PRESET}` judges them.\n"
        )
    assert document is not None
    heading = ["| claim | effect [95 %] | margin | seeds | verdict |", "|---|---|---|---|---|"]
    return "\n".join([_summary(document), "", *heading, *lines]) + "\n"


def _summary(document: Mapping[str, Any]) -> str:
    """How many claims have each verdict, as `Verdicts: 11 hold, 42 undecided (9 of them wait for cells).`"""
    undecided = [claim for claim in document["claims"] if claim["word"] == "undecided"]
    waiting = sum(claim["finished"] < len(claim["cells"]) for claim in undecided)
    words = document["words"]
    counted = {word: f"{words[word]} {shown}" for word, shown in _COUNTED.items() if word in words}
    if words.get("holds") == 1:
        counted["holds"] = "1 holds"
    if waiting:
        counted["undecided"] += f" ({waiting} of them {'waits' if waiting == 1 else 'wait'} for cells)"
    return f"Verdicts: {', '.join(counted.values())}."


def with_part(text: str, name: str, part: str) -> str:
    """The text with this part between its two markers. Raises ValueError where it lacks them."""
    begin, end = f"<!-- {name} of the study: written by `{COMMAND}` -->\n", f"<!-- end of {name} -->\n"
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the text lacks the lines {begin!r} and {end!r}")
    return f"{before}{begin}\n{part}\n{end}{after}"


def _gain(claim: Mapping[str, Any]) -> str:
    effect, low, high = _numbers(claim)
    return f"{effect.lstrip('+')} [{low.lstrip('+')}, {high.lstrip('+')}]"


def _numbers(claim: Mapping[str, Any]) -> tuple[str, str, str]:
    """The effect and its interval."""
    comparison, metric = claim["comparison"], claim["metric"]
    low, high = comparison["interval"]
    return effect_number(metric, comparison["effect"]), effect_number(metric, low), effect_number(metric, high)


def _lines(document: Mapping[str, Any], undecided: bool) -> Iterator[str]:
    """A line for each claim whose cells are all finished; `undecided` says whether those are among them."""
    for claim in document["claims"]:
        complete = 0 < len(claim["cells"]) == claim["finished"]
        if not complete or (claim["word"] == "undecided" and not undecided):
            continue
        late = f" (declared {_LATE})" if claim["declared"] == _LATE else ""
        text = f"{claim['text']} ({claim['stream']})".replace("|", "\\|")
        shown = claim["why"]
        if claim["comparison"] is not None:
            effect, low, high = _numbers(claim)
            shown = f"{effect} [{low}, {high}]"
        margin = "" if claim["margin"] is None else f"{claim['margin']:g}"
        yield f"| {text} | {shown} | {margin} | {claim['seeds']} | {claim['word']}{late} |"


def main(root: Path) -> None:
    """Rewrite these parts of the files of this checkout."""
    for name, texts in parts(read_published(root)).items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        for part, content in texts.items():
            text = with_part(text, part, content)
        write_text(path, text)


if __name__ == "__main__":
    main(Path())
