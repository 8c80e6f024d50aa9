"""What `dvc repro` runs and versions: `params/pipeline.yaml`."""
# changes no number: which preset and pages DVC asks for

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import Frozen
from cenbench.matrix.table_name import figure_name, table_name
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint

FILE = "pipeline.yaml"


def _as_text(value: Any) -> Any:
    """A number as text, as on the command line: `tables: 7`."""
    return str(value) if type(value) is int else value


Word = Annotated[str, BeforeValidator(_as_text)]


class PipelineSpec(Frozen):
    """The preset and tables that are made, and those whose pages are versioned."""

    preset: Word
    tables: Word
    """Their names, separated by commas, or `all`."""
    pages: Annotated[tuple[Word, ...], Field(min_length=1)]
    figures: tuple[Word, ...]

    def published(self, plan: Plan, params: Path) -> tuple[list[str], list[str]]:
        """Names of the tables and figures that are versioned; one `UserError` for all that the preset does not have."""
        pages, figures = [*map(table_name, self.pages)], [*map(figure_name, self.figures)]
        issues = [
            *_absent("table", "pages", pages, [table.name for table in plan.tables]),
            *_absent("figure", "figures", figures, [figure.name for figure in plan.figures]),
        ]
        if issues:
            raise as_user_error(params / FILE, issues)
        return pages, figures


def _absent(what: str, key: str, names: Sequence[str], known: Sequence[str]) -> Iterator[Issue]:
    for place, name in enumerate(names):
        if name not in known:
            expected = ", ".join(known) or f"an empty list: the preset has no {what}s"
            hint = spelling_hint(name, known)
            yield Issue(f"{key}[{place}]", f"not a {what} of the preset", short_repr(name), expected, hint)
