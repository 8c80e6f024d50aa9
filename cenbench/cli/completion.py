"""What the shell offers for a name that is being typed: presets, tables, figures and cells of the checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from cenbench.errors import UserError

Names = Callable[[typer.Context, str], list[str]]


def _begins(names: Callable[[typer.Context], list[str]]) -> Names:
    """Those of the names that begin with what is typed; none where params has a mistake, which the command names."""

    def completed(context: typer.Context, incomplete: str) -> list[str]:
        try:
            return [name for name in names(context) if name.startswith(incomplete)]
        except (UserError, OSError):
            return []

    return completed


def _params(context: typer.Context) -> Path:
    return Path(context.params.get("root") or ".") / "params"


def _presets(context: typer.Context) -> list[str]:
    from cenbench.matrix.preset import preset_names

    return preset_names(_params(context))


def _tables(context: typer.Context) -> list[str]:
    from cenbench.matrix.table import table_names

    return table_names(_params(context))


def _figures(context: typer.Context) -> list[str]:
    from cenbench.matrix.figure import figure_names

    return figure_names(_params(context))


def _cells(context: typer.Context) -> list[str]:
    from cenbench.matrix.plan import load_plan

    return list(load_plan(_params(context), context.params.get("preset") or "demo").cells)


presets = _begins(_presets)
tables = _begins(_tables)
figures = _begins(_figures)
tables_and_figures = _begins(lambda context: _tables(context) + _figures(context))
cells = _begins(_cells)
