"""A cell: one training run and how it is measured. Frozen, with a stable content id.

Two identities, because two things cost differently:

* `training_id`: everything that can change the trained weights. Resumable state and weights are kept under it.
* `id`: the above and how the result is measured. Published metrics are kept under it.

So a changed KID subset count gives a new `id` with the old `training_id`: measured again, not trained again.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from cenbench.files import digest
from cenbench.matrix.specs import (
    DatasetSpec,
    Frozen,
    Seed,
    SegmentationEvaluation,
    SegmentationNet,
    SegmentationProtocol,
    TranslationEvaluation,
    TranslationNet,
    TranslationProtocol,
    check_fit,
)

Convs = Literal["shared", "unshared"]
Norms = Literal["shared", "unshared", "affine-unshared", "stats-unshared"]
L1 = Literal["none", "half", "all"]
Fusion = Literal["none", "exchange"]

MODALITIES = ("rgb", "depth", "depth_zbuffer", "normal", "shade", "texture", "edge")
TARGETS = (*MODALITIES, "semantic")
ENSEMBLE = "ensemble"
_ID_VERSION = 1


class Task(Frozen):
    """What goes in and what comes out, written `rgb+depth->semantic` in `params/` and in the tables."""

    inputs: tuple[str, ...] = Field(min_length=1)
    target: str

    @classmethod
    def parse(cls, text: str) -> Task:
        """Read `a+b->c`; ValueError says what is wrong."""
        match = re.fullmatch(r"\s*([a-z_+\s]+?)\s*->\s*([a-z_]+)\s*", text)
        if match is None:
            raise ValueError(f"a task reads 'input+input->target', e.g. 'rgb+depth->semantic', not {text!r}")
        inputs = tuple(part.strip() for part in match[1].split("+"))
        try:
            return cls(inputs=inputs, target=match[2])
        except ValidationError as error:
            raise ValueError("; ".join(str(each["ctx"]["error"]) for each in error.errors())) from None

    @field_validator("inputs")
    @classmethod
    def _known_inputs(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        for name in inputs:
            if name not in MODALITIES:
                raise ValueError(f"unknown modality {name!r}; allowed: {', '.join(MODALITIES)}")
        if len(set(inputs)) != len(inputs):
            raise ValueError(f"a modality appears twice in {'+'.join(inputs)}")
        return inputs

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        if target not in TARGETS:
            raise ValueError(f"unknown target {target!r}; allowed: {', '.join(TARGETS)}")
        return target

    @model_validator(mode="after")
    def _target_not_an_input(self) -> Task:
        if self.target in self.inputs:
            raise ValueError(f"the target {self.target!r} is also an input")
        return self

    def __str__(self) -> str:
        return f"{'+'.join(self.inputs)}->{self.target}"

    @property
    def kind(self) -> Literal["segmentation", "translation"]:
        return "segmentation" if self.target == "semantic" else "translation"

    @property
    def streams(self) -> tuple[str, ...]:
        """One output a modality, then the ensemble: the order of a network's stream axis."""
        return (*self.inputs, ENSEMBLE)


class Cell(Frozen):
    """One training run of the matrix (design: 'A cell')."""

    task: Task
    dataset: DatasetSpec
    network: SegmentationNet | TranslationNet = Field(discriminator="head")
    fusion: Fusion
    stage: Literal["all"] = "all"
    convs: Convs
    norms: Norms
    l1: L1
    protocol: SegmentationProtocol | TranslationProtocol
    evaluation: SegmentationEvaluation | TranslationEvaluation
    seed: Seed

    @model_validator(mode="after")
    def _possible(self) -> Cell:
        parts = (self.network, self.protocol, self.evaluation)
        wanted = _PARTS_OF[self.task.kind]
        for part, kind in zip(parts, wanted, strict=True):
            if not isinstance(part, kind):
                raise ValueError(f"{self.task} is a {self.task.kind} task; {type(part).__name__} does not fit it")
        if self.fusion == "exchange":
            if len(self.task.inputs) < 2:
                raise ValueError(f"exchange needs at least two modalities; {self.task} has one")
            if self.norms in ("shared", "stats-unshared"):
                raise ValueError(
                    f"exchange needs scaling factors of each modality's own; norms: {self.norms} shares them "
                    "(allowed with exchange: unshared, affine-unshared)"
                )
        if self.l1 == "half" and self.norms in ("shared", "stats-unshared"):
            raise ValueError(
                f"l1: half penalises a disjoint part of each modality's own scaling factors; norms: {self.norms} "
                "shares them (allowed with half: unshared, affine-unshared)"
            )
        if self.convs == "unshared" and self.norms != "unshared":
            raise ValueError(f"convs: unshared are separate networks, so norms must be unshared, not {self.norms}")
        check_fit(self.dataset, self.network, self.protocol, self.evaluation)
        return self

    @cached_property
    def slug(self) -> str:
        """Readable part of the ids, safe as a file name."""
        task = f"{'+'.join(self.task.inputs)}-to-{self.task.target}"
        sharing = f"{self.convs}-convs.{self.norms}-norms.l1-{self.l1}"
        size = "x".join(str(side) for side in dict.fromkeys(self.dataset.shape_px))
        return f"{task}.{self.fusion}.{sharing}.{size}px.s{self.seed}"

    @cached_property
    def training_id(self) -> str:
        return f"{self.slug}.{_hash(self, exclude={'evaluation'})}"

    @cached_property
    def id(self) -> str:
        return f"{self.slug}.{_hash(self, exclude=set())}"


_PARTS_OF = {
    "segmentation": (SegmentationNet, SegmentationProtocol, SegmentationEvaluation),
    "translation": (TranslationNet, TranslationProtocol, TranslationEvaluation),
}


def _hash(cell: Cell, exclude: set[str]) -> str:
    """Ten hex digits over every field that is not at its default, so a new defaulted field keeps old ids."""
    content = cell.model_dump(mode="json", exclude_defaults=True, exclude=exclude)
    return digest({"version": _ID_VERSION, "cell": content})[:10]
