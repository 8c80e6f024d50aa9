"""A table's declaration: one YAML file in `params/`, in the table's own terms. Rows and columns describe cells.

Every entry (the table's `defaults`, a group, a row, a column) may set any of the same terms. A slot of the table takes
its terms from the defaults, then its group, then its row and column; a row and a column never set the same term.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cenbench.matrix.cell import L1, Convs, Norms, Stage, Task
from cenbench.matrix.metrics import metrics
from cenbench.matrix.preset import Text
from cenbench.matrix.specs import Frozen, Name
from cenbench.matrix.table_name import table_order
from cenbench.matrix.validation import Issue, as_user_error
from cenbench.matrix.yaml_file import load_model

if TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[tuple(metrics())]
Term = Literal["task", "fusion", "stage", "merged", "convs", "norms", "l1", "stream"]
TERMS: tuple[Term, ...] = ("task", "fusion", "stage", "merged", "convs", "norms", "l1", "stream")
TERM_DEFAULTS = {"stage": "all", "merged": False}
"""Values of terms that no entry sets."""
TaskText = Annotated[str, AfterValidator(lambda text: str(Task.parse(text)))]


class Override(Frozen):
    """Parameters to change here, e.g. `protocol: {theta: 0.05}`. Only these cells' ids change.

    The keys inside are those of the preset's parts, and of the fusion method; a list is replaced as a whole.
    """

    dataset: dict[str, Any] = Field(default_factory=dict)
    network: dict[str, Any] = Field(default_factory=dict)
    protocol: dict[str, Any] = Field(default_factory=dict)
    evaluation: dict[str, Any] = Field(default_factory=dict)
    fusion: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    """Parameters of the fusion method itself, as its file declares them, e.g. `{weight: 0.5}` for `align`."""


def _named_once(metrics: tuple[str, ...]) -> tuple[str, ...]:
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise ValueError(f"metric {metric} is named twice")
    return metrics


Metrics = Annotated[tuple[Metric, ...], Field(min_length=1), AfterValidator(_named_once)]


class TermsSpec(Frozen):
    """The terms that describe cells, each of which a part of a declaration may set."""

    task: TaskText | None = None
    """Inputs and target, e.g. `rgb+depth->semantic`."""
    convs: Convs | None = None
    """Whether the modalities share their convolutions."""
    norms: Norms | None = None
    """Which parts of each norm are private to a modality."""
    l1: L1 | None = None
    """Which scaling factors the l1 term drives to zero."""
    fusion: Name | None = None
    """The fusion method: a file of `cenbench/nn/fusion`, e.g. `exchange`, `concat`, `none`."""
    exchange: bool | None = None
    """Short for `fusion: exchange` (true) or `fusion: none` (false), as in table 7."""
    stage: Stage | None = None
    """Where the fusion acts; `all` by default."""
    merged: bool | None = None
    """Whether the modalities merge into one stream with one prediction after the fusion; false by default."""
    stream: Name | None = None
    """Which output is shown: a modality of the task, or `ensemble`."""
    override: Override = Override()

    @model_validator(mode="after")
    def _fusion_set_once(self) -> Self:
        if self.fusion is not None and self.exchange is not None:
            raise ValueError("`exchange:` is short for a `fusion:`; set only one of the two")
        return self

    def term(self, name: str) -> Any:
        """The value this entry gives the term; None if it leaves it unset."""
        if name == "fusion" and self.exchange is not None:
            return "exchange" if self.exchange else "none"
        return getattr(self, name)


class EntrySpec(TermsSpec):
    """What the table's defaults, a group, a row or a column may set."""

    paper_terms: dict[Term | Literal["method", "exchange"], Text] = Field(default_factory=dict)
    """Terms as `params/paper/tables_reference.csv` spells them, where it differs from this entry."""
    override_in_paper: bool = False
    """True if the paper's numbers were made with this entry's `override` too, as for the larger networks of table 3."""
    incomparable: Text | None = None
    """Why the paper's numbers here can never be compared with ours, for example because their making is unknown."""
    in_paper: bool = True
    """False for an entry that is not in the paper, whatever its terms: the paper's numbers skip it."""


class RowSpec(EntrySpec):
    """A row. Without `labels`, its labels are made from its terms (see `StubColumn`)."""

    labels: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    only: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Labels of the columns this row has a number in; every column by default."""


class ColumnSpec(EntrySpec):
    """A column of numbers."""

    label: Text
    short: Text | None = None
    """The label where space is short, as at the column width of a paper; the label itself by default."""
    emphasised: bool = False
    metrics: Metrics | None = None
    """Metrics to show here instead of the table's."""


class GroupSpec(EntrySpec):
    """Rows under one common label, usually a task."""

    label: Text
    only: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """As for a row; applies to the rows of the group that do not set it themselves."""
    rows: Annotated[tuple[RowSpec, ...], Field(min_length=1)]


class StubColumn(Frozen):
    """A column of row labels: its heading and the term it shows."""

    heading: Text
    short: Text | None = None
    """The heading where space is short; the heading itself by default."""
    shows: Term | Literal["exchange"]


class TableSpec(Frozen):
    """One table of the paper, or one of your own."""

    number: Annotated[int, Field(ge=1, le=99)] | None = None
    """As in the file's name. A table that is not in the paper has a name of its own instead: `table-NAME.yaml`."""
    title: Text
    caption: Text
    metrics: Metrics
    paper_metrics: dict[str, Metric] = Field(default_factory=dict)
    """Metric in the paper's file -> ours, where they differ, e.g. its MSE is a root: `{mse_x10: rmse_x10}`."""
    stub: Annotated[tuple[StubColumn, ...], Field(min_length=1)]
    group_heading: Text | None = None
    defaults: EntrySpec = EntrySpec()
    groups: tuple[GroupSpec, ...] = ()
    rows: tuple[RowSpec, ...] = ()
    columns: Annotated[tuple[ColumnSpec, ...], Field(min_length=1)]
    ranked: Literal["rows", "columns"] = "rows"
    """What the best number, in bold, is the best of: the rows of a group in one column, or the columns of one row."""
    whole: bool = True
    """True: a number of the paper without a slot is an error. False: rows were left out on purpose."""
    footers: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _rows_or_groups(self) -> TableSpec:
        if bool(self.rows) == bool(self.groups):
            raise ValueError("a table needs either `rows:` or `groups:` with rows of their own, not both")
        return self


def table_names(params: Path) -> list[str]:
    """Names of all declared tables, from their files: those of the paper, then the others."""
    return sorted((path.stem for path in params.glob("table*.yaml")), key=table_order)


def load_table(params: Path, name: str) -> TableSpec:
    """Read `params/<name>.yaml`; `name` is one of `table_names`. Raises `UserError` for an invalid file."""
    path = params / f"{name}.yaml"
    table = load_model(path, TableSpec)
    expected = name.removeprefix("table")
    if table.number is None and expected.isdigit():
        raise as_user_error(path, [Issue("number", "the number in the file's name is missing", expected=expected)])
    if table.number is not None and name != f"table{table.number}":
        problem = "the number differs from the file's name"
        fix = None if expected.isdigit() else "delete this line: a table with a name of its own has no number"
        raise as_user_error(path, [Issue("number", problem, table.number, expected, fix)])
    return table
