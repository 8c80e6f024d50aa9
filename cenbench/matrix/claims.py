"""The claims: statements about which of two kinds of cells is better, declared in `params/claims.yaml` before a run.

A claim selects cells on two sides. Two cells form a pair if they are equal in every setting that neither side names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cenbench.files import digest
from cenbench.matrix.cell import L1, Cell, Convs, Norms, Stage
from cenbench.matrix.condition import Under
from cenbench.matrix.metrics import check_margin, share_limits
from cenbench.matrix.preset import FigureName, TableName, Text
from cenbench.matrix.specs import Frozen, Name, PositiveFloat
from cenbench.matrix.table import Metric, TaskText
from cenbench.matrix.validation import Issue, as_user_error
from cenbench.matrix.yaml_file import is_given, load_model

Relation = Literal["better", "not worse", "equal"]
Check = Literal["corollary-1"]
FILE = "claims.yaml"


def _is_none(value: Any) -> bool:
    return value is None


def _is_empty(value: Any) -> bool:
    return not value


class Selector(Frozen):
    """The cells of one side; of each key one value, or a list of allowed ones. A key that is left out is not asked."""

    task: TaskText | tuple[TaskText, ...] | None = None
    fusion: Name | tuple[Name, ...] | None = None
    stage: Stage | tuple[Stage, ...] | None = None
    merged: bool | None = None
    convs: Convs | tuple[Convs, ...] | None = None
    norms: Norms | tuple[Norms, ...] | None = None
    l1: L1 | tuple[L1, ...] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    """Dotted settings, e.g. `protocol.lambda_l1: 0.0`."""

    @field_validator("*")
    @classmethod
    def _not_an_empty_list(cls, allowed: Any) -> Any:
        if allowed == ():
            raise ValueError("an empty list selects no cell")
        return allowed

    @field_validator("settings")
    @classmethod
    def _settings_that_select(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name, value in settings.items():
            if name in cls.model_fields:
                raise ValueError(f"{name} is a key beside `settings:`, not one of them")
            if value == []:
                raise ValueError(f"{name} is an empty list, which selects no cell")
        return settings

    def named(self) -> dict[str, tuple[Any, ...]]:
        """Setting -> allowed values, for every setting that is asked."""
        terms = {name: getattr(self, name) for name in type(self).model_fields if name != "settings"}
        asked = {name: value for name, value in (terms | self.settings).items() if value is not None}
        return {name: tuple(value) if isinstance(value, tuple | list) else (value,) for name, value in asked.items()}

    def selects(self, cell: Cell) -> bool:
        """Whether the cell has an allowed value of every setting that is asked."""
        known = cell.settings
        return all(known.get(name) in allowed for name, allowed in self.named().items())


class ClaimSpec(Frozen):
    """One claim."""

    name: Name
    text: Text
    source: Text
    """Where the paper says or implies it, or that it is a control of ours."""
    tables: tuple[TableName, ...] = ()
    """The tables whose cells it is about. A preset without any of them, or of `figures`, does not judge it."""
    figures: tuple[FigureName, ...] = Field((), exclude_if=_is_empty)
    """The figures whose cells it is about, such as the grid of a sensitivity figure."""
    metric: Metric | None = None
    streams: Annotated[tuple[Name, ...], Field(min_length=1)] = ("ensemble",)
    """The outputs it is judged on, each by itself."""
    relation: Relation = "better"
    """`better`: than the other side, by the margin. `not worse`: than it, by the margin. `equal`: within the margin."""
    better: Selector | None = None
    worse: Selector | None = None
    against: Annotated[float, Field(allow_inf_nan=False)] | None = Field(None, exclude_if=_is_none)
    """In place of `worse`: a fixed number that the cells of `better` must be better than, in the metric's unit."""
    others: bool = Field(False, exclude_if=_is_empty)
    """In place of `worse`: all other cells of its tables and figures that differ in nothing but what `better` names."""
    check: Check | None = Field(None, exclude_if=_is_none)
    """In place of numbers: an exact check of each cell of `better` by itself, which needs no seeds and no margin."""
    margin: PositiveFloat | None = None
    """The difference that counts, in the metric's unit."""
    preset_margins: dict[Name, PositiveFloat] = Field(default_factory=dict)
    """Preset -> its margin, where the metric has another unit there, as with a stand-in for Inception."""
    under: Under | None = Field(None, exclude_if=_is_none)
    """The claim is about what is lost under this condition: the better side loses less, by the margin."""
    every: bool = False
    """True: it must hold in every pair of settings, not only on their average."""
    presets: tuple[Name, ...] = ()
    """The presets it is judged in."""
    needs: Text | None = None
    """What has to be measured first, for a claim that finished cells alone cannot answer."""

    @model_validator(mode="after")
    def _measurable_or_waiting(self) -> ClaimSpec:
        sides = {"worse": self.worse is not None, "against": self.against is not None, "others": self.others}
        if sum(sides.values()) > 1:
            raise ValueError(
                "a claim is judged against other cells (`worse:` or `others:`) or a number (`against:`), not several"
            )
        compared = [*(name for name, given in sides.items() if given), *(["metric"] if self.metric else [])]
        if self.check is not None and compared:
            raise ValueError(f"a claim with `check:` compares no numbers, so it has no `{compared[0]}:`")
        wanted: dict[str, Any] = {"better": self.better}
        if self.check is None:
            wanted |= {"metric": self.metric, "margin": self.margin}
        missing = [name for name, value in wanted.items() if value is None]
        missing += ["worse"] if self.check is None and not any(sides.values()) else []
        missing += ["tables"] if not self.tables and not self.figures else []
        missing += ["presets"] if not self.presets else []
        if self.needs is None and missing:
            raise ValueError(
                f"a claim needs {', '.join(missing)}; or `needs:`, if nothing that is measured here can answer it"
            )
        return self

    @model_validator(mode="after")
    def _margin_and_number_are_possible(self) -> ClaimSpec:
        for margin in (self.margin, *self.preset_margins.values()):
            if self.metric is not None and margin is not None:
                check_margin(self.metric, margin)
        limits = self.limits
        if limits is not None and self.against is not None and not limits[0] <= self.against <= limits[1]:
            low, high = limits
            raise ValueError(f"{self.metric} lies from {low:g} to {high:g}: it cannot be held against {self.against:g}")
        return self

    @field_validator("streams", "presets", "tables", "figures")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is named twice")
        return names

    @property
    def limits(self) -> tuple[float, float] | None:
        """The smallest and the largest number of a cell that the claim can be about; None where there is no limit."""
        known = share_limits(self.metric) if self.metric is not None else None
        if known is None or self.under is None:
            return known
        return known[0] - known[1], known[1] - known[0]  # a change, from the baseline to the condition

    def margin_in(self, preset: str) -> float:
        """The difference that counts in this preset."""
        assert self.margin is not None
        return self.preset_margins.get(preset, self.margin)

    def digest(self) -> str:
        """What was declared: everything that decides how it is judged, but not its wording."""
        return digest(self.model_dump(mode="json", exclude={"text", "source"}))[:12]


class ClaimsSpec(Frozen):
    """All claims, in the order in which they are shown."""

    claims: Annotated[tuple[ClaimSpec, ...], Field(min_length=1, max_length=200)]


def load_claims(params: Path) -> tuple[ClaimSpec, ...]:
    """Read `params/claims.yaml`; nothing is claimed without it.

    Raises `UserError` for an invalid file; names are checked by `plan_claims`.
    """
    if not is_given(params / FILE):
        return ()
    claims = load_model(params / FILE, ClaimsSpec).claims
    places: dict[str, int] = {}
    issues = [
        Issue(
            f"claims[{place}].name",
            f"claims[{first}] has the same name",
            claim.name,
            fix="give one of them another name",
        )
        for place, claim in enumerate(claims)
        if (first := places.setdefault(claim.name, place)) != place
    ]
    if issues:
        raise as_user_error(params / FILE, issues)
    return claims
