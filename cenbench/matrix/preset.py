"""A preset: the dataset, network, protocol and budget to run the tables with. One YAML file in `params/presets/`."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from cenbench.errors import UserError
from cenbench.matrix.dataset_names import unknown_dataset
from cenbench.matrix.limits import excesses
from cenbench.matrix.specs import (
    DatasetSpec,
    Frozen,
    Name,
    Seed,
    SegmentationEvaluation,
    SegmentationNet,
    SegmentationProtocol,
    TranslationEvaluation,
    TranslationNet,
    TranslationProtocol,
    check_fit,
)
from cenbench.matrix.table_name import table_name
from cenbench.matrix.validation import Issue, as_user_error, hidden_problem, short_repr, unknown_name
from cenbench.matrix.yaml_file import load_model

Kind = Literal["segmentation", "translation"]
_INVISIBLE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
"""Invisible characters that a terminal or a page acts on, such as escapes and changes of writing direction."""


def _without_hidden(text: str) -> str:
    """`text`. Raises `ValueError` for a character that the pattern, which the JSON schema shares, does not know."""
    if (problem := hidden_problem(text)) is not None:
        raise ValueError(problem)
    return text


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=rf"^[^{_INVISIBLE}]*$"),
    AfterValidator(_without_hidden),
]


def _no_short_form(name: str) -> str:
    """`name`. Raises `ValueError` for one of its own that the command line reads as that of a numbered one."""
    if table_name(name) != name:
        raise ValueError(f"the command line reads {name} as {table_name(name)}: a name of its own needs a letter in it")
    return name


TableName = Annotated[
    str,
    StringConstraints(pattern=r"^table([1-9][0-9]?|(-[a-z0-9]+)+)$", max_length=64),
    AfterValidator(_no_short_form),
]
"""One of the paper by its number, e.g. `table7`; any other by a name of its own, e.g. `table-controls`."""
FigureName = Annotated[
    str,
    StringConstraints(pattern=r"^figure([1-9][0-9]?|(-[a-z0-9]+)+)$", max_length=64),
    AfterValidator(_no_short_form),
]
"""One of the paper by its number, e.g. `figure7`; any other by a name of its own, e.g. `figure-exchange`."""
MAX_PRICE = 1e6
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_T = TypeVar("_T")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class Segmentation(Frozen):
    """The parts of every segmentation cell of the preset."""

    dataset: DatasetSpec
    network: SegmentationNet
    protocol: SegmentationProtocol
    evaluation: SegmentationEvaluation

    @model_validator(mode="after")
    def _parts_fit(self) -> Segmentation:
        check_fit(self.dataset, self.network, self.protocol, self.evaluation)
        return self


class Translation(Frozen):
    """The parts of every translation cell of the preset."""

    dataset: DatasetSpec
    network: TranslationNet
    protocol: TranslationProtocol
    evaluation: TranslationEvaluation

    @model_validator(mode="after")
    def _parts_fit(self) -> Translation:
        check_fit(self.dataset, self.network, self.protocol, self.evaluation)
        return self


class StepSeconds(Frozen):
    """Seconds per training step: `fixed` plus `per_modality` times the number of input modalities."""

    fixed: Seconds
    per_modality: Seconds


class CostModel(Frozen):
    """What a cell costs on the named hardware, for `cenbench plan`. Does not affect results or ids."""

    hardware: Text
    """Where and how the seconds were measured, or what they are estimated from."""
    measured_on: date | None = None
    """The day on which the seconds were measured on `hardware`; without it they are an estimate."""
    unit: Literal["CPU", "GPU"]
    """The unit of an hour: one CPU core, or one GPU."""
    price_per_hour: Annotated[float, Field(gt=0, le=MAX_PRICE, allow_inf_nan=False)] | None = None
    """Price of such an hour, in `currency`; without it no money is shown."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    """ISO 4217 code."""
    workers: Annotated[int, Field(ge=1, le=10_000)]
    """Cells that run at the same time on that hardware."""
    scene_s: Seconds
    """Seconds to prepare one scene of the dataset on one worker."""
    cell_s: Seconds
    """Seconds per cell besides its steps: start, evaluation, writing."""
    step_s: dict[Kind, StepSeconds]
    cells_per_gpu: dict[Kind, Annotated[int, Field(ge=1, le=64)]] = Field(default_factory=dict)
    """Cells that share one GPU at the speed of `step_s`; one where not given. Divides the GPU-hours and the price."""

    @field_validator("step_s")
    @classmethod
    def _both_kinds(cls, step_s: dict[Kind, StepSeconds]) -> dict[Kind, StepSeconds]:
        missing = {"segmentation", "translation"} - step_s.keys()
        if missing:
            raise ValueError(f"missing: {', '.join(sorted(missing))}")
        return step_s


class Preset(Frozen):
    """One file in `params/presets/`."""

    name: Name
    description: Text
    tables: Annotated[tuple[TableName, ...], Field(min_length=1)]
    """The tables to run (files in `params/`), in this order."""
    figures: tuple[FigureName, ...] = ()
    """The figures to draw (files in `params/`), in this order."""
    grid: Name | None = None
    """Name of the grid, under `grids:` of a sensitivity figure, that this preset measures; by default its own name."""
    groups: dict[TableName, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Table -> labels of the row groups to run. Tables not named here run all of their groups."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)]
    """Every cell is trained once per seed; tables show the mean and the spread."""
    segmentation: Segmentation
    translation: Translation
    cost: CostModel

    @property
    def grid_name(self) -> str:
        """The key of its grid in a sensitivity figure."""
        return self.grid or self.name

    @field_validator("groups")
    @classmethod
    def _groups_of_its_tables(cls, groups: dict[str, tuple[str, ...]], info: ValidationInfo) -> dict[str, Any]:
        for name, chosen in groups.items():
            if name not in info.data.get("tables", ()):
                raise ValueError(f"{name} is not one of this preset's tables")
            if len(set(chosen)) != len(chosen):
                raise ValueError(f"a group of {name} is listed twice")
        return groups

    @field_validator("tables", "figures", "seeds")
    @classmethod
    def _no_duplicates(cls, values: tuple[_T, ...]) -> tuple[_T, ...]:
        if len(set(values)) != len(values):
            raise ValueError("duplicate entry")
        return values


def preset_names(params: Path) -> list[str]:
    """Names of all presets, from their files."""
    return sorted(path.stem for path in (params / "presets").glob("*.yaml"))


def preset_path(params: Path, name: str) -> Path:
    """The file of the preset of that name."""
    return params / "presets" / f"{name}.yaml"


def load_preset(params: Path, name: str) -> Preset:
    """Read `params/presets/<name>.yaml`. Raises `UserError` for an invalid file and for an unknown name."""
    known = [known for known in preset_names(params) if _NAME.fullmatch(known)]
    if name not in known:
        misnamed = [file for file in (params / "presets").glob("*.y*ml") if file.stem == name]
        if misnamed:
            expected = "a name in lower case: a-z, 0-9, _ . and -, then .yaml"
            fix = "rename the file, and write the same name after `name:`"
            raise UserError("this file's name is not that of a preset", where=misnamed[0], expected=expected, fix=fix)
        none = "one YAML file per preset, but the folder has none"
        raise unknown_name("unknown preset", name, known, params / "presets", none)
    path = preset_path(params, name)
    preset = load_model(path, Preset)
    if preset.name != name:
        fix = f"write `name: {name}`, or rename the file"
        raise as_user_error(
            path, [Issue("name", "the name differs from the file's name", short_repr(preset.name), name, fix)]
        )
    issues = unknown_dataset(preset.segmentation.dataset.name, "segmentation.dataset.name")
    issues += unknown_dataset(preset.translation.dataset.name, "translation.dataset.name")
    for kind, parts in (("segmentation", preset.segmentation), ("translation", preset.translation)):
        issues += [excess.issue(kind) for excess in excesses(parts)]
    if issues:
        raise as_user_error(path, issues)
    return preset
