"""The claims of the study as a table of the README, from the published `reports/study/claims.json`.

`python -m cenbench.report.readme_claims` rewrites that part of README.md; a test fails if it is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cenbench.errors import UserError
from cenbench.files import read_json_object, write_text
from cenbench.regular_file import Missing
from cenbench.report.claim_texts import effect_number
from cenbench.report.render_claims import FORMAT

PRESET = "study"
COMMAND = "python -m cenbench.report.readme_claims"
BEGIN, END = f"<!-- claims of the study: written by `{COMMAND}` -->\n", "<!-- end of claims -->\n"
_LATE = "after numbers were seen"


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


def claims_markdown(document: Mapping[str, Any] | None) -> str:
    """The table, or a sentence where there is nothing to show yet."""
    lines = [] if document is None else list(_lines(document))
    if not lines:
        return (
            f"No claim is judged yet: the present declaration of `{PRESET}` has not been run.\n"
            f"`snakemake claims --config preset={PRESET}` judges them.\n"
        )
    assert document is not None
    words = ", ".join(f"{count} {word}" for word, count in document["words"].items())
    heading = ["| claim | effect [95 %] | margin | seeds | verdict |", "|---|---|---|---|---|"]
    return "\n".join([f"Claims: {words}.", "", *heading, *lines]) + "\n"


def with_claims(readme: str, table: str) -> str:
    """The README with the table between its two markers. Raises ValueError where it lacks them."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """A line for each claim that has an effect."""
    for claim in document["claims"]:
        comparison = claim["comparison"]
        if comparison is None:
            continue
        values = (comparison["effect"], *comparison["interval"])
        effect, low, high = (effect_number(claim["metric"], value) for value in values)
        late = f" (declared {_LATE})" if claim["declared"] == _LATE else ""
        text = f"{claim['text']} ({claim['stream']})".replace("|", "\\|")
        yield f"| {text} | {effect} [{low}, {high}] | {claim['margin']:g} | {claim['seeds']} | {claim['word']}{late} |"


def main(root: Path) -> None:
    """Rewrite the README's part in this checkout."""
    path = root / "README.md"
    table = claims_markdown(read_published(root))
    write_text(path, with_claims(path.read_text(encoding="utf-8"), table))


if __name__ == "__main__":
    main(Path())
