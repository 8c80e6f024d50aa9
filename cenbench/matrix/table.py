"""A table's declaration: one YAML file of `params/`, in the table's own terms. Rows and columns say what a cell is.

Every entry (the table's `defaults`, a group, a row, a column) may set any of the same terms. A slot of the table has
the terms of its defaults, then its group, then its row and its column; a row and a column never set the same term.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from cenbench.errors import UserError
from cenbench.matrix.cell import L1, Convs, Norms, Stage, Task
from cenbench.matrix.preset import Text
from cenbench.matrix.specs import Frozen, Name
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint
from cenbench.matrix.yaml_file import load_model

Metric = Literal[
    "miou_pct", "pixel_acc_pct", "mean_acc_pct", "fid", "kid_x100", "mae_x10", "rmse_x10", "mse_x10",
    "params_m", "fusion_params_m", "gflops",
]  # fmt: skip
Term = Literal["task", "fusion", "stage", "merged", "convs", "norms", "l1", "stream"]
TERMS: tuple[Term, ...] = ("task", "fusion", "stage", "merged", "convs", "norms", "l1", "stream")
TERM_DEFAULTS = {"stage": "all", "merged": False}
"""What terms are that nothing says."""
TaskText = Annotated[str, AfterValidator(lambda text: str(Task.parse(text)))]


class Override(Frozen):
    """Parameters of the preset that are different here, e.g. `protocol: {theta: 0.05}`. Changes these cells' ids only.

    The keys inside are those of the preset's own parts; a list is replaced whole.
    """

    dataset: dict[str, Any] = Field(default_factory=dict)
    network: dict[str, Any] = Field(default_factory=dict)
    protocol: dict[str, Any] = Field(default_factory=dict)
    evaluation: dict[str, Any] = Field(default_factory=dict)


class EntrySpec(Frozen):
    """What the table's defaults, a group, a row or a column may say about the cells it stands for."""

    task: TaskText | None = None
    """What goes in and what comes out, e.g. `rgb+depth->semantic`."""
    convs: Convs | None = None
    """Whether the modalities share convolutions."""
    norms: Norms | None = None
    """What of the normalisation each modality has of its own."""
    l1: L1 | None = None
    """Which scaling factors the l1 term drives to zero."""
    fusion: Name | None = None
    """The fusion method: a file of `cenbench/nn/fusion`, e.g. `exchange`, `concat`, `none`."""
    exchange: bool | None = None
    """Short for `fusion: exchange` (true) and `fusion: none` (false), as table 7 has it."""
    stage: Stage | None = None
    """Where the fusion acts; `all` where nothing says it."""
    merged: bool | None = None
    """Whether one stream goes on after the fusion, to one prediction; false where nothing says it."""
    stream: Name | None = None
    """Which output is shown: a modality of the task, or `ensemble`."""
    override: Override = Override()
    paper_terms: dict[Term | Literal["method", "exchange"], Text] = Field(default_factory=dict)
    """How `params/paper/tables_reference.csv` calls what this entry says, where it uses another word."""
    in_paper: bool = True
    """False for an entry of your own: the paper has no number for it, whatever its terms are."""

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> EntrySpec:
        if self.fusion is not None and self.exchange is not None:
            raise ValueError("`exchange:` is short for a `fusion:`; say one of the two")
        return self

    def says(self, term: str) -> Any:
        """The value this entry gives a term; None where it says nothing of it."""
        if term == "fusion" and self.exchange is not None:
            return "exchange" if self.exchange else "none"
        return getattr(self, term)


class RowSpec(EntrySpec):
    """A row. `labels` are made from its terms (see `StubColumn`) unless they are given."""

    labels: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    only: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Labels of the columns this row has a number in; every column where nothing says it."""


class ColumnSpec(EntrySpec):
    """A column of numbers."""

    label: Text
    emphasised: bool = False
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] | None = None
    """What this column shows instead of the table's metrics."""


class GroupSpec(EntrySpec):
    """Rows that stand together under one label, usually a task."""

    label: Text
    only: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """As a row's, for all rows of the group that do not say it themselves."""
    rows: Annotated[tuple[RowSpec, ...], Field(min_length=1)]


class StubColumn(Frozen):
    """A column of row labels: its heading, and the term whose value it shows."""

    heading: Text
    shows: Term | Literal["exchange"]


class TableSpec(Frozen):
    """One table of the paper, or one of your own."""

    number: Annotated[int, Field(ge=1, le=99)]
    title: Text
    caption: Text
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    paper_metrics: dict[str, Metric] = Field(default_factory=dict)
    """Metrics of the paper's file that are another of ours, e.g. its MSE is a root: `{mse_x10: rmse_x10}`."""
    stub: Annotated[tuple[StubColumn, ...], Field(min_length=1)]
    group_heading: Text | None = None
    defaults: EntrySpec = EntrySpec()
    groups: tuple[GroupSpec, ...] = ()
    rows: tuple[RowSpec, ...] = ()
    columns: Annotated[tuple[ColumnSpec, ...], Field(min_length=1)]
    whole: bool = True
    """True: a number of the paper that finds no slot is an error. False where rows were left out on purpose."""
    footers: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _rows_or_groups(self) -> TableSpec:
        if bool(self.rows) == bool(self.groups):
            raise ValueError("a table has either `rows:` or `groups:` with rows of their own")
        return self


def table_names(params: Path) -> list[str]:
    """The tables there are, by file name."""
    return sorted(path.stem for path in params.glob("table*.yaml"))


def load_table(params: Path, name: str) -> TableSpec:
    """Read `params/<name>.yaml`. A `UserError` names what is wrong in it, or the tables there are."""
    known = table_names(params)
    if name not in known:
        raise UserError(
            "there is no such table",
            where=params,
            found=short_repr(name),
            expected=", ".join(known) or "table7.yaml and so on, but the folder has none",
            fix=spelling_hint(name, known),
        )
    path = params / f"{name}.yaml"
    table = load_model(path, TableSpec)
    if name != f"table{table.number}":
        problem = "the number differs from the one in the file's name"
        raise as_user_error(path, [Issue("number", problem, table.number, name.removeprefix("table"))])
    return table
