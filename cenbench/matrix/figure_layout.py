"""From a figure's declaration and a preset to its layout: the cells of every series. Pure: reads and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cenbench.matrix.cell import ENSEMBLE, Cell
from cenbench.matrix.cell_builder import CellBuilder, Entries, Entry
from cenbench.matrix.describe import departures, protocol_lines
from cenbench.matrix.figure import FigureKind, FigureSpec, GridSpec, figure_number
from cenbench.matrix.history_columns import OPTIONAL_COLUMNS, history_columns
from cenbench.matrix.layout import TableLayout
from cenbench.matrix.metrics import measured_metrics
from cenbench.matrix.preset import Preset, preset_path
from cenbench.matrix.slot_issues import merged
from cenbench.matrix.table import Override, TermsSpec
from cenbench.matrix.validation import Issue, as_user_error, spelling_hint

_ENSEMBLE = Entry(TermsSpec(stream=ENSEMBLE), ())
"""What is drawn of a series that names no stream."""
_NO_COLUMN = Entry(TermsSpec(), ("series",))
"""A table's slot takes its terms from a row and a column, last; a series takes them from no column."""
_DRAWN_ONCE: tuple[FigureKind, ...] = ("pictures",)
"""Kinds that show one network per series and not a spread: the preset's first seed."""


@dataclass(frozen=True)
class FigureSeries:
    """The cells of one series, one per seed, and the output of theirs that is drawn."""

    label: str
    cells: tuple[Cell, ...]
    stream: str = ENSEMBLE
    group: str | None = None
    """The group of the table's rows that it is from."""
    emphasised: bool = False
    """Whether it is the paper's method."""


@dataclass(frozen=True)
class FigureLayout:
    """A figure without its numbers."""

    name: str
    kind: FigureKind
    title: str
    caption: str
    series: tuple[FigureSeries, ...]
    protocol_lines: tuple[str, ...]
    metric: str | None = None
    layer: int | None = None
    column: str | None = None
    chosen: tuple[float, float] | None = None
    """Of a sensitivity figure: lambda_l1 and theta of the preset, which its tables use."""

    @property
    def number(self) -> int | None:
        """The number of the paper's figure that this one follows; None for one of ours."""
        return figure_number(self.name)

    @property
    def heading(self) -> str:
        """`Figure 7. Title`, or the title alone for a figure of ours."""
        return self.title if self.number is None else f"Figure {self.number}. {self.title}"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of all series, each once, in reading order."""
        return tuple({cell.id: cell for series in self.series for cell in series.cells}.values())

    def content(self) -> list[Any]:
        """Everything that is declared, as plain values for a digest; cells are represented by their ids."""
        series = [[str(replace(series, cells=())), [cell.id for cell in series.cells]] for series in self.series]
        return [str(replace(self, series=())), series]


def expand_figure(
    name: str, spec: FigureSpec, preset: Preset, path: Path, tables: Mapping[str, TableLayout]
) -> FigureLayout:
    """The layout of the figure that `path` declares, under this preset.

    `tables` holds the layout of every table that the figure names. Raises one `UserError` on `path` that lists
    everything that is impossible.
    """
    drawn_once = {"seeds": preset.seeds[:1]} if spec.kind in _DRAWN_ONCE else {}
    shown = preset.model_copy(update=drawn_once)
    builder = CellBuilder(shown)
    if spec.kind == "sensitivity":
        series = tuple(_grid_series(spec, _grid(spec, preset, path), builder))
    elif spec.tables:
        series = tuple(one for name in spec.tables for one in _table_series(tables[name]))
    else:
        series = tuple(_declared_series(spec, builder))
    issues = [*builder.issues, *builder.unused_overrides(), *(_impossible(spec, series) if not builder.issues else ())]
    if issues:
        raise as_user_error(path, merged(issues))
    return FigureLayout(
        name=name,
        kind=spec.kind,
        title=spec.title,
        caption=spec.caption,
        series=series,
        protocol_lines=(
            *protocol_lines(shown, [cell for one in series for cell in one.cells]),
            *departures([("Whole figure", spec.defaults), *((one.label, one) for one in spec.series)]),
        ),
        metric=spec.metric,
        layer=spec.layer,
        column=spec.column,
        chosen=_chosen(preset, series) if spec.kind == "sensitivity" else None,
    )


def _declared_series(spec: FigureSpec, builder: CellBuilder) -> Iterator[FigureSeries]:
    for place, one in enumerate(spec.series):
        entries = (_ENSEMBLE, Entry(spec.defaults, ("defaults",)), Entry(one, ("series", place)), _NO_COLUMN)
        yield _series(builder, entries, one.label)


def _grid_series(spec: FigureSpec, grid: GridSpec, builder: CellBuilder) -> Iterator[FigureSeries]:
    """One series per value of theta, with a cell per value of lambda and seed; all on the grid's split."""
    [one] = spec.series
    for theta in grid.theta:
        cells: list[Cell] = []
        stream = ENSEMBLE
        for lambda_l1 in grid.lambda_l1:
            tried = Override(protocol={"lambda_l1": lambda_l1, "theta": theta}, evaluation={"split": grid.split})
            entries = (
                _ENSEMBLE,
                Entry(spec.defaults, ("defaults",)),
                Entry(TermsSpec(override=grid.override), ("grids", builder.preset.grid_name)),
                Entry(one, ("series", 0)),
                Entry(TermsSpec(override=tried), ("grids", builder.preset.grid_name)),
            )
            terms, built = builder.build(entries)
            stream = terms.get("stream", ENSEMBLE)
            cells += built
        yield FigureSeries(f"\N{GREEK SMALL LETTER THETA} = {theta:g}", tuple(cells), stream)


def _grid(spec: FigureSpec, preset: Preset, path: Path) -> GridSpec:
    name = preset.grid_name
    if name in spec.grids:
        return spec.grids[name]
    if preset.grid is not None:
        issue = Issue(
            "grid", f"{path.name} has no such grid", name, ", ".join(spec.grids), spelling_hint(name, spec.grids)
        )
        raise as_user_error(preset_path(path.parent, preset.name), [issue])
    problem = f"no grid {name}, which preset {preset.name} measures in this figure"
    another = f"add `{name}:` to `grids:`, name another one with `grid:` in the preset, or remove the figure from it"
    fix = spelling_hint(name, spec.grids) or another
    raise as_user_error(path, [Issue("grids", problem, name, ", ".join(spec.grids), fix)])


def _table_series(table: TableLayout) -> Iterator[FigureSeries]:
    """Every network of the table with its ensemble, by row; named by its column too where a row has several.

    A network that has a row for each of its outputs is named after the last of them, which is the ensemble's.
    """
    found: dict[tuple[str | None, tuple[Cell, ...]], FigureSeries] = {}
    for place, row in enumerate(table.rows):
        networks: dict[tuple[Cell, ...], int] = {}
        for slot in table.slots:
            if slot.row == place and slot.cells:
                networks.setdefault(slot.cells, slot.column)
        for cells, column in networks.items():
            words = (*row.labels, *([table.columns[column].label] if len(networks) > 1 else []))
            label = ", ".join(word for word in words if word)
            found[row.group, cells] = FigureSeries(label, cells, _ensemble_of(cells[0]), row.group, _is_ours(cells[0]))
    yield from found.values()


def _chosen(preset: Preset, series: Sequence[FigureSeries]) -> tuple[float, float]:
    segmentation = series[0].cells[0].task.kind == "segmentation"
    protocol = preset.segmentation.protocol if segmentation else preset.translation.protocol
    return protocol.lambda_l1, protocol.theta


def _series(builder: CellBuilder, entries: Entries, label: str) -> FigureSeries:
    terms, cells = builder.build(entries)
    return FigureSeries(label, cells, terms.get("stream", ENSEMBLE), None, any(map(_is_ours, cells)))


def _ensemble_of(cell: Cell) -> str:
    return ENSEMBLE if ENSEMBLE in cell.streams else cell.streams[-1]


def _is_ours(cell: Cell) -> bool:
    return cell.fusion == "exchange" and cell.l1 == "half"


def _impossible(spec: FigureSpec, series: Sequence[FigureSeries]) -> Iterator[Issue]:
    """What no single series shows to be wrong: a metric or column that a task does not have, pictures of several
    targets.
    """
    cells = [cell for one in series for cell in one.cells]
    for kind in dict.fromkeys(cell.task.kind for cell in cells):
        known = measured_metrics(kind)
        if spec.metric is not None and spec.metric not in known:
            hint = spelling_hint(spec.metric, known)
            yield Issue("metric", f"{kind} cells do not have this metric", spec.metric, ", ".join(known), hint)
    yield from _no_column(spec, cells)
    yield from _repeated(spec, series)
    targets = dict.fromkeys(cell.task.target for cell in cells)
    if spec.kind == "pictures" and len(targets) > 1:
        yield Issue("series", "all pictures of a figure must have the same target", ", ".join(targets), "one target")


def _repeated(spec: FigureSpec, series: Sequence[FigureSeries]) -> Iterator[Issue]:
    """Declared series that draw the same output of the same cells as an earlier one: one would hide the other."""
    first: dict[object, str] = {}
    for place, one in enumerate(series if spec.series and spec.kind != "sensitivity" else ()):
        earlier = first.setdefault((one.cells, one.stream), one.label)
        if earlier != one.label:
            fix = "change the terms of one of them, or remove it"
            yield Issue(f"series[{place}]", f"this series has the cells of another one: {earlier}", one.label, fix=fix)


def _no_column(spec: FigureSpec, cells: Sequence[Cell]) -> Iterator[Issue]:
    """A column that the history of some cell does not have."""
    if spec.column is None or spec.column in OPTIONAL_COLUMNS:
        return
    every = [history_columns(cell) for cell in cells]
    known = [name for name in every[0] if all(name in names for names in every)]
    if spec.column not in known:
        hint = spelling_hint(spec.column, known)
        yield Issue("column", "not a column of all its cells' histories", spec.column, ", ".join(known), hint)
