"""A cell: one training run and how it is measured. Frozen, with a stable content id.

Two identities, because two things cost differently:

* `training_id`: everything that can change the trained weights. Resumable state and weights are stored under it.
* `id`: the above and how the result is evaluated. Published metrics are stored under it.

So a changed KID subset count gives a new `id` and the same `training_id`: evaluated again, not trained again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from cenbench.files import digest
from cenbench.matrix.methods import methods
from cenbench.matrix.pretraining import pretraining_parts
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
Stage = Literal["early", "middle", "late", "all"]

MODALITIES = ("rgb", "depth", "depth_zbuffer", "normal", "shade", "texture", "edge")
TARGETS = (*MODALITIES, "semantic")
ENSEMBLE = "ensemble"
MERGED_STREAMS = ("fused", ENSEMBLE)
"""The outputs of a network that merges its modalities into one stream; its ensemble has only that one member."""
_ID_VERSION = 1
Part = TypeVar("Part", bound=Frozen)


class Task(Frozen):
    """Inputs and target, written `rgb+depth->semantic` in `params/` and in the tables."""

    inputs: tuple[str, ...] = Field(min_length=1)
    target: str

    @classmethod
    def parse(cls, text: str) -> Task:
        """Read `a+b->c`. Raises ValueError for anything else."""
        match = re.fullmatch(r"\s*([a-z_+\s]+?)\s*->\s*([a-z_]+)\s*", text)
        if match is None:
            raise ValueError(f"a task is written 'input+input->target', e.g. 'rgb+depth->semantic', not {text!r}")
        inputs = tuple(part.strip() for part in match[1].split("+"))
        try:
            return cls(inputs=inputs, target=match[2])
        except ValidationError as error:
            raise ValueError("; ".join(str(details["ctx"]["error"]) for details in error.errors())) from None

    @field_validator("inputs")
    @classmethod
    def _known_inputs(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        for name in inputs:
            if name not in MODALITIES:
                raise ValueError(f"unknown modality {name!r}; allowed: {', '.join(MODALITIES)}")
        if len(set(inputs)) != len(inputs):
            raise ValueError(f"duplicate modality in {'+'.join(inputs)}")
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
        """One output per modality, then the ensemble: the order of a network's stream axis."""
        return (*self.inputs, ENSEMBLE)


class Cell(Frozen):
    """One training run and its evaluation."""

    task: Task
    dataset: DatasetSpec
    network: SegmentationNet | TranslationNet = Field(discriminator="head")
    fusion: str
    """A method of `cenbench.matrix.methods`."""
    fusion_parameters: dict[str, float] = Field(default={})
    """Those of the method's own parameters that differ from their defaults."""
    stage: Stage = "all"
    """Where it acts: the 2nd, 3rd, 4th or every stage of a ResNet; the 1st, 4th of 8, last or every one of a U-Net."""
    merged: bool = False
    """After the (last) fusion point a single stream continues, to one prediction: table 2's commonly used setting."""
    convs: Convs
    norms: Norms
    l1: L1
    protocol: SegmentationProtocol | TranslationProtocol
    evaluation: SegmentationEvaluation | TranslationEvaluation
    seed: Seed

    @field_validator("fusion_parameters")
    @classmethod
    def _without_defaults(cls, parameters: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        """A default that is set explicitly gives the same cell, so the same ids."""
        declared = methods()[info.data["fusion"]].parameters if info.data.get("fusion") in methods() else {}
        return {
            name: value for name, value in parameters.items() if name not in declared or value != declared[name].default
        }

    @model_validator(mode="after")
    def _possible(self) -> Cell:
        parts = (self.network, self.protocol, self.evaluation)
        models = _PARTS_OF[self.task.kind]
        for part, model in zip(parts, models, strict=True):
            if not isinstance(part, model):
                raise ValueError(f"{type(part).__name__} does not fit {self.task}, which is a {self.task.kind} task")
        self._check_fusion()
        if self.l1 == "half" and self.norms in ("shared", "stats-unshared"):
            raise ValueError(
                "l1: half penalises a disjoint part of each modality's private scaling factors, but "
                f"norms: {self.norms} shares them (allowed with half: unshared, affine-unshared)"
            )
        if self.convs == "unshared" and self.norms != "unshared":
            raise ValueError(f"convs: unshared means separate networks, so norms must be unshared, not {self.norms}")
        check_fit(self.dataset, self.network, self.protocol, self.evaluation)
        if self.network.head == "pspnet":
            self._check_pspnet()
        elif self.network.head == "refinenet":
            self._check_refinenet()
        return self

    def _pools_modalities(self, *, merged: bool) -> bool:
        """Whether batch norms compute statistics over several modalities, where they are not `merged` yet."""
        return self.norms in ("shared", "affine-unshared") and len(self.task.inputs) > 1 and not merged

    def _check_refinenet(self) -> None:
        """Its decoder has no norms; in the encoder, the deepest ones follow the first two points of fusion."""
        merged = self.merged and self.stage in ("early", "middle")
        frozen = self.part(SegmentationProtocol).freeze_norm_statistics
        if not frozen and not self._pools_modalities(merged=merged):
            SegmentationNet.check_deepest_norms(self.dataset, self.protocol.crop_px, self.protocol.batch_size)

    def _check_pspnet(self) -> None:
        if self.protocol.batch_size == 1 and not self._pools_modalities(merged=self.merged):
            raise ValueError("pspnet normalises maps pooled to one value per image, so batch_size must be at least 2")
        if self.merged and self.stage == "all":
            raise ValueError(
                "pspnet reads only the last two stages, so with merged: true fusion after the first two would have no "
                "effect (allowed stages: early, middle, late)"
            )

    def _check_fusion(self) -> None:
        if self.fusion not in methods():
            raise ValueError(f"unknown fusion {self.fusion!r}; allowed: {', '.join(methods())}")
        method, modalities = methods()[self.fusion], len(self.task.inputs)
        if not method.accepts(modalities):
            raise ValueError(f"{self.fusion} needs {method.inputs_text}, but {self.task} has {modalities}")
        for name, value in self.fusion_parameters.items():
            if name not in method.parameters:
                allowed = ", ".join(method.parameters) or "none"
                raise ValueError(f"{self.fusion} has no parameter {name!r}; allowed: {allowed}")
            if not method.parameters[name].accepts(value):
                raise ValueError(f"{self.fusion}'s {name} is {value:g}; allowed: {method.parameters[name].range_text}")
        if method.reads_factors and self.norms in ("shared", "stats-unshared"):
            raise ValueError(
                f"{self.fusion} needs private scaling factors per modality, but norms: {self.norms} shares them "
                f"(allowed with {self.fusion}: unshared, affine-unshared)"
            )
        if method.acts == "nowhere" and self.stage != "all":
            raise ValueError(f"{self.fusion} acts at no stage, so `stage` cannot be set (found: {self.stage})")
        if method.acts == "norms" and self.stage in self.network.stages_without_norm:
            raise ValueError(
                f"stage: {self.stage} is the U-Net's {self.network.stages_without_norm[self.stage]} convolution, which "
                f"has no norm that {self.fusion} could follow (allowed: middle, all)"
            )
        if self.merged:
            self._check_merged(method.merges)

    def _check_merged(self, merges: bool) -> None:
        if not merges:
            merging = ", ".join(name for name, method in methods().items() if method.merges)
            raise ValueError(f"merged: {self.fusion} cannot merge into one stream (methods that can: {merging})")
        if not self.network.CAN_MERGE:
            raise ValueError(
                "merged: translation networks keep one prediction per modality; only segmentation can merge"
            )
        if self.l1 != "none":
            raise ValueError(
                f"merged: a single stream has no other to exchange with, so l1 must be none, not {self.l1}"
            )

    def __hash__(self) -> int:
        return hash(self.id)  # pydantic's would hash the fields, one of which is a mapping

    def part(self, model: type[Part]) -> Part:
        """The network, protocol or evaluation, as the `model` it is of; TypeError for a cell of the other task."""
        for part in (self.network, self.protocol, self.evaluation):
            if isinstance(part, model):
                return part
        raise TypeError(f"{self.id} has no {model.__name__}")

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the network's outputs, in their order."""
        return MERGED_STREAMS if self.merged else self.task.streams

    @cached_property
    def slug(self) -> str:
        """The readable part of the ids, safe as a file name."""
        task = f"{'+'.join(self.task.inputs)}-to-{self.task.target}"
        sharing = f"{self.convs}-convs.{self.norms}-norms.l1-{self.l1}"
        size = "x".join(str(side) for side in dict.fromkeys(self.dataset.shape_px))
        stage = "" if self.stage == "all" else f"-{self.stage}"
        merged = "-merged" if self.merged else ""
        return f"{task}.{self.fusion}{stage}{merged}.{sharing}.{size}px.s{self.seed}"

    @cached_property
    def training_id(self) -> str:
        selecting = self.evaluation.selecting() if self.protocol.selection == "best" else {}
        return f"{self.slug}.{_digest(self._content(exclude={'evaluation'}) | selecting)}"

    @cached_property
    def id(self) -> str:
        return f"{self.slug}.{_digest(self._content(exclude=set()))}"

    @cached_property
    def pretraining(self) -> Cell | None:
        """The cell whose network this one's encoder starts from (`pretrained: embedded`); None for any other start."""
        if not isinstance(self.network, SegmentationNet) or self.network.pretrained != "embedded":
            return None
        parts = pretraining_parts(self.dataset, self.network, self.protocol.crop_px)
        task = Task(inputs=("rgb",), target="semantic")
        return Cell(task=task, fusion="uni-modal", convs="shared", norms="unshared", l1="none", **parts)

    def _content(self, exclude: set[str]) -> dict[str, Any]:
        """All fields that can change a number and are not at their default, so that adding a field keeps the ids."""
        content = self.model_dump(mode="json", exclude_defaults=True, exclude=exclude)
        for name in self._unread_settings():
            part, _, key = name.partition(".")
            content[part].pop(key, None)
        if self.pretraining is not None:
            content["pretraining"] = self.pretraining.training_id
        return content

    @cached_property
    def all_settings(self) -> dict[str, Any]:
        """Dotted name -> value of every setting, defaults included, but for the seed and what changes no number.

        A list of phases is flattened too: `protocol.phases[0].epochs`. All cells of a task have the same names.
        """
        content = self.model_dump(mode="json", exclude={"seed": True, **_CHANGE_NO_NUMBER})
        content["task"] = str(self.task)
        return dict(_flattened(content, ""))

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that can move a number of this cell: `all_settings` without those that it does not use."""
        unread = tuple(self._unread_settings())
        return {
            name: value
            for name, value in self.all_settings.items()
            if name not in unread and not name.startswith(tuple(f"{group}." for group in unread))
        }

    def unread_by_terms(self) -> Iterator[str]:
        """Settings that its l1 and its method do not use, whatever the preset is."""
        if self.l1 == "none":
            yield "protocol.lambda_l1"
            yield "protocol.lambda_per_head"
        if methods()[self.fusion].acts != "norms":
            yield "protocol.exchange_own_part_only"

    def _unread_settings(self) -> Iterator[str]:
        """Settings that its method, l1, head, start or selection does not use; of a group, all below its name."""
        yield from self.unread_by_terms()
        if self.network.head != "pspnet":
            yield "protocol.auxiliary_weight"
        if self.protocol.selection == "last":
            yield "protocol.select_every_epochs"
        if self.pretraining is None:
            yield "network.pretraining"


_PARTS_OF = {
    "segmentation": (SegmentationNet, SegmentationProtocol, SegmentationEvaluation),
    "translation": (TranslationNet, TranslationProtocol, TranslationEvaluation),
}


_CHANGE_NO_NUMBER: Any = {"protocol": {"traced_convs"}, "evaluation": {"samples"}}


def _flattened(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every plain value below `value`, and every empty list or mapping, under its dotted name."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _flattened(child, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, child in enumerate(value):
            yield from _flattened(child, f"{name}[{index}]")
    elif value not in ({}, []):
        yield name, value


def _digest(content: dict[str, Any]) -> str:
    """Ten hex digits."""
    return digest({"version": _ID_VERSION, "cell": content})[:10]
