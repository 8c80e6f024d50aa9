"""A figure's declaration: one YAML file in `params/`. Its series describe cells in the same terms as a table's rows.

A file is named `figure<number>.yaml` after the paper's figure, or `figure-<word>.yaml` if it is one of ours. That name
is also the figure's target in Snakemake.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cenbench.errors import UserError
from cenbench.matrix.preset import TableName, Text, load_preset, preset_names
from cenbench.matrix.specs import Frozen, Name, NonNegativeFloat, PositiveFloat, PositiveInt
from cenbench.matrix.table import Metric, Override, TermsSpec
from cenbench.matrix.validation import Issue, as_user_error, short_repr, spelling_hint
from cenbench.matrix.yaml_file import load_model

FigureKind = Literal[
    "attraction",
    "trajectories",
    "pictures",
    "scaling_factors",
    "sensitivity",
    "score_by_parameters",
    "score_by_modalities",
    "learning_curves",
    "exchanged_share",
]
_OPTIONS: Mapping[str, tuple[FigureKind, ...]] = {
    "metric": ("sensitivity", "score_by_parameters", "score_by_modalities"),
    "layer": ("trajectories", "scaling_factors"),
    "column": ("learning_curves",),
    "grids": ("sensitivity",),
    "tables": ("score_by_parameters", "score_by_modalities"),
}
"""Option -> the kinds of figures that have it; `metric`, `grids` and `column` are required there."""
_REQUIRED = ("metric", "grids", "column")


class SeriesSpec(TermsSpec):
    """One network of the figure: a line, a row of pictures, or a group of points."""

    label: Text


class GridSpec(Frozen):
    """The values of lambda and theta that a preset tries, every combination of them."""

    lambda_l1: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=2, max_length=20)]
    theta: Annotated[tuple[PositiveFloat, ...], Field(min_length=2, max_length=20)]
    override: Override = Override()
    """Parameters to change in every cell of the grid, e.g. the dataset, to one with a tuning split."""
    split: Literal["tune", "val"] = "tune"
    """Where its cells are evaluated: `tune` if lambda and theta are chosen by it, since no table is measured there;
    `val` where they are given, as those of the released code.
    """

    @model_validator(mode="after")
    def _ascending(self) -> GridSpec:
        for name in ("lambda_l1", "theta"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name} must be ascending, each value once")
        return self


class FigureSpec(Frozen):
    """One figure of the paper, or one of ours."""

    kind: FigureKind
    """What is drawn; docs/figures.md shows each."""
    title: Text
    caption: Text
    """What it shows, and what to look for."""
    metric: Metric | None = None
    """The score on the y axis."""
    layer: PositiveInt | None = None
    """Which convolution of the encoder, from 1 (a ResNet's 3 x 3 ones, all of a U-Net's); all layers, if left out.

    A network with fewer shows its last one that is followed by a constrained norm.
    """
    column: Name | None = None
    """Column of history.csv to draw, such as `nll_ensemble` or `below_theta_rgb`."""
    defaults: TermsSpec = TermsSpec()
    """Terms of every series, unless it sets them itself."""
    series: tuple[SeriesSpec, ...] = ()
    tables: tuple[TableName, ...] = ()
    """Instead of `series`: every row of these tables that has a number for the ensemble."""
    grids: dict[Name, GridSpec] = Field(default_factory=dict)
    """Preset -> the grid it measures."""

    @model_validator(mode="after")
    def _options_fit_the_kind(self) -> FigureSpec:
        for option, kinds in _OPTIONS.items():
            given = bool(getattr(self, option))
            if given and self.kind not in kinds:
                raise ValueError(f"`{option}:` is for figures of kind {', '.join(kinds)}, not {self.kind}")
            if option in _REQUIRED and not given and self.kind in kinds:
                raise ValueError(f"a figure of kind {self.kind} needs `{option}:`")
        if bool(self.series) == bool(self.tables):
            raise ValueError("a figure needs either `series:` or `tables:`, not both")
        if self.kind == "sensitivity" and len(self.series) > 1:
            raise ValueError("a sensitivity figure has one series, which its grid varies")
        labels = [series.label for series in self.series]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two series are labelled {short_repr(label)}")
        return self


def figure_names(params: Path) -> list[str]:
    """Names of all declared figures, from their files: the paper's by number, then ours."""
    names = [path.stem for path in params.glob("figure*.yaml")]
    return sorted(names, key=figure_order)


def figure_number(name: str) -> int | None:
    """The number of the paper's figure that this one follows; None for one of ours."""
    digits = name.removeprefix("figure")
    return int(digits) if digits.isascii() and digits.isdigit() else None


def figure_order(name: str) -> tuple[int, str]:
    """Key to sort names by: the paper's figures by their number, then ours by name."""
    return figure_number(name) or 100, name


def load_figure(params: Path, name: str) -> FigureSpec:
    """Read `params/<name>.yaml`; `name` is one of `figure_names`. Raises `UserError` for an invalid file."""
    path = params / f"{name}.yaml"
    figure = load_model(path, FigureSpec)
    strange = [grid for grid in figure.grids if grid not in preset_names(params)]
    wanted = _grids_wanted(params, name, figure) if strange else []
    # A name that resembles none is that of a preset which this checkout does not have.
    misspelt = {grid: hint for grid in strange if (hint := spelling_hint(grid, wanted))}
    if misspelt:
        problem = "no preset measures this grid"
        raise as_user_error(path, [Issue(f"grids.{grid}", problem, grid, fix=hint) for grid, hint in misspelt.items()])
    return figure


def _grids_wanted(params: Path, name: str, figure: FigureSpec) -> list[str]:
    """The grids that presets with this figure measure and that it lacks. A preset that cannot be read wants none."""
    found = []
    for preset in preset_names(params):
        with suppress(UserError):
            chosen = load_preset(params, preset)
            if name in chosen.figures and chosen.grid_name not in figure.grids:
                found.append(chosen.grid_name)
    return found
