"""What `dvc repro` runs and versions: `params/pipeline.yaml`."""
# changes no number: which preset and pages DVC asks for

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import Frozen
from cenbench.matrix.table_name import figure_name, table_name
from cenbench.matrix.validation import as_user_error, unknown_entries
from cenbench.matrix.yaml_file import load_model

FILE = "pipeline.yaml"
_NONE = "an empty list: the preset has none"


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
            *unknown_entries("pages", pages, [table.name for table in plan.tables], "not a table of the preset", _NONE),
            *unknown_entries(
                "figures", figures, [figure.name for figure in plan.figures], "not a figure of the preset", _NONE
            ),
        ]
        if issues:
            raise as_user_error(params / FILE, issues)
        return pages, figures


def load_pipeline(params: Path) -> PipelineSpec:
    """Read `params/pipeline.yaml`; one `UserError` for all keys and types that are wrong, with their lines."""
    return load_model(params / FILE, PipelineSpec)
