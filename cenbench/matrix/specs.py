"""The parts of a cell: dataset, network, protocol, evaluation. Each validates itself at construction.

Every field here is part of a cell's identity. A field added later needs a default that preserves the previous
behaviour: fields at their default are left out of the hash, so that existing cells keep their id (see `cell.py`).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from cenbench.files import digest

PositiveInt = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]


class Frozen(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class DatasetSpec(Frozen):
    """A prepared dataset: everything its content depends on."""

    name: Name
    size_px: PositiveInt
    """Height of every stored image in pixels; also its width, unless `width_px` is set."""
    width_px: PositiveInt | None = None
    """Width of every stored image in pixels, if it is not square (NYUDv2: 468 x 625)."""
    train_scenes: PositiveInt
    val_scenes: PositiveInt
    seed: Seed
    """Seed of the renderer (embedded datasets) or of the subset drawn from the official lists (real ones)."""
    version: PositiveInt = 1
    """Raised when the renderer or adapter changes what it writes."""

    @field_validator("width_px")
    @classmethod
    def _square_has_one_spelling(cls, width_px: int | None, info: ValidationInfo) -> int | None:
        """A width equal to the height is the default spelled out: the same dataset, so the same ids."""
        return None if width_px == info.data.get("size_px") else width_px

    @property
    def shape_px(self) -> tuple[int, int]:
        """(height, width) of every stored image in pixels."""
        return self.size_px, self.width_px or self.size_px


def dataset_key(spec: DatasetSpec) -> str:
    """Folder name of a prepared dataset: a readable part, then ten hex digits over the whole spec."""
    size = "x".join(str(side) for side in dict.fromkeys(spec.shape_px))
    content = spec.model_dump(mode="json", exclude_defaults=True)
    return f"{spec.name}-{size}px-{digest(content)[:10]}"


class SegmentationNet(Frozen):
    """A ResNet encoder with a RefineNet (paper.md#refinenet) or PSPNet decoder."""

    head: Literal["refinenet", "pspnet"]
    depth: Literal[18, 34, 50, 101, 152]
    width: PositiveInt = 64
    """Channels of the stem; 64 in the original ResNet."""
    decoder_width: PositiveInt = 256
    """Channels of RefineNet's stages 2-4 (the deepest stage has twice as many), or of PSPNet's last convolution."""
    pretrained: bool
    """Start the encoder from ImageNet weights. Missing weights skip the cell; there is no silent random start."""
    dropout: Fraction = 0.5


class TranslationNet(Frozen):
    """U-Net generator (paper.md#u-net) and PatchGAN discriminator (paper.md#patchgan)."""

    head: Literal["unet"]
    levels: Annotated[int, Field(ge=3, le=9)]
    """Number of down-blocks; eight at 256 px. The input's sides must be multiples of 2**levels."""
    generator_width: PositiveInt = 64
    discriminator_width: PositiveInt = 64
    discriminator_layers: PositiveInt = 3
    dropout: Fraction = 0.5


class SegmentationPhase(Frozen):
    """A part of training at constant learning rates; the optimisers are created anew at its start.

    Source: paper.md#segmentation.
    """

    epochs: PositiveInt
    lr_encoder: PositiveFloat
    lr_decoder: PositiveFloat


Selection = Literal["last", "best"]


def check_quirks(name: str, part: BaseModel, quirks: tuple[str, ...]) -> None:
    """Raises ValueError if `clean` has a quirk of the released code or `official` lacks one; other names are free."""
    for quirk in quirks:
        value = getattr(part, quirk)
        if name == "clean" and value not in (False, "last"):
            raise ValueError(
                f"protocol clean forbids {quirk}: {str(value).lower()}, a quirk of the released code "
                "(give the protocol another name to choose quirks one by one)"
            )
        if name == "official" and value in (False, "last"):
            required = "best" if quirk == "selection" else "true"
            raise ValueError(
                f"protocol official needs {quirk}: {required}, as the released code does "
                "(give the protocol another name to choose quirks one by one)"
            )


class SegmentationProtocol(Frozen):
    """How a segmentation cell is trained. Names are the paper's; QUIRKS are the released code's own.

    Source: paper.md#segmentation.
    """

    QUIRKS: ClassVar[tuple[str, ...]] = (
        "freeze_norm_statistics",
        "lambda_per_head",
        "pad_depth_as_rgb",
        "selection",
    )

    name: Name
    """`clean`: what one should do, no quirk; `official`: what the released code does, every quirk; else your choice."""
    phases: Annotated[tuple[SegmentationPhase, ...], Field(min_length=1)]
    batch_size: PositiveInt
    momentum: Fraction
    weight_decay: NonNegativeFloat
    lambda_l1: NonNegativeFloat
    """Weight of the l1 norm of the constrained scaling factors (paper.md#equation-4)."""
    theta: PositiveFloat
    """Exchange threshold on |gamma| (paper.md#equation-6)."""
    gamma_init: Literal["ones", "uniform"] = "ones"
    """Scaling factors of a random start: at one, or at U(0, 1), where few steps are to bring only some under theta."""
    lambda_per_head: bool = False
    """Add the l1 term once an output, as the released code does, instead of once a step."""
    freeze_norm_statistics: bool = False
    """Keep running statistics at their initial values in training, as the released code does."""
    pad_depth_as_rgb: bool = False
    """Pad depth with ImageNet's colour means read as depth, as the released code does (0.02 m, not 0)."""
    selection: Selection = "last"
    """Which weights are measured: the last, or the best on the validation split, as in the released code."""
    select_every_epochs: PositiveInt = 5
    """How often `best` looks."""
    exchange_own_part_only: bool = False
    """Exchange only within each modality's own part of the channels: the paper's text, not its code.

    Source: paper.md#own-part.
    """
    align_weight: NonNegativeFloat = 1.0
    """Weight of the alignment method's MMD."""
    auxiliary_weight: NonNegativeFloat = 0.4
    """Weight of PSPNet's auxiliary predictions."""
    crop_px: PositiveInt
    scale_min: PositiveFloat = 0.5
    scale_max: PositiveFloat = 2.0
    min_side_px: PositiveInt | None = None
    """A smaller scale is raised until the image's shorter side has this length (350 in the released code)."""
    mirror: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _ordered(self) -> SegmentationProtocol:
        check_quirks(self.name, self, self.QUIRKS)
        if self.scale_min > self.scale_max:
            raise ValueError(f"scale_min {self.scale_min} is over scale_max {self.scale_max}")
        return self


class TranslationProtocol(Frozen):
    """How a translation cell is trained (paper.md#translation). QUIRKS are the released code's own."""

    QUIRKS: ClassVar[tuple[str, ...]] = ("two_generator_passes", "crop_past_edge", "selection")

    name: Name
    """As in segmentation: `clean`, `official`, or a name of your own."""
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    beta1: Fraction
    beta2: Fraction
    lambda_l1: NonNegativeFloat
    theta: PositiveFloat
    image_weight: NonNegativeFloat = 100.0
    """Weight of the l1 distance between generated and target image."""
    gamma_init: Literal["uniform", "ones"] = "uniform"
    """Scaling factors start at U(0, 1), as in the torch the paper used, or at one (paper.md#initial-weights)."""
    two_generator_passes: bool = False
    """Generate anew for the generator's own step, with other dropout, as the released code does."""
    crop_past_edge: bool = False
    """Let crops begin one pixel too far, over a black border, as the released code does."""
    selection: Selection = "last"
    """Which weights are measured: the last, or those of the lowest FID of any output, as in the released code."""
    select_every_epochs: PositiveInt = 5
    """How often `best` looks."""
    exchange_own_part_only: bool = False
    """Exchange only within each modality's own part of the channels: the paper's text, not its code.

    Source: paper.md#own-part.
    """
    align_weight: NonNegativeFloat = 1.0
    """Weight of the alignment method's MMD."""
    resize_px: PositiveInt
    """Images are resized to this side before the crop (286 in the paper)."""
    crop_px: PositiveInt
    mirror: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _fits(self) -> TranslationProtocol:
        check_quirks(self.name, self, self.QUIRKS)
        if self.crop_px > self.resize_px:
            raise ValueError(f"crop_px {self.crop_px} is over resize_px {self.resize_px}")
        return self


class SegmentationEvaluation(Frozen):
    """Evaluation at full size on the validation split."""

    batch_size: PositiveInt
    scales: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (1.0,)
    """Scales of the image; class probabilities are averaged over them. Just 1.0 is single-scale evaluation."""
    flip: bool = False
    """Evaluate each scale mirrored too."""
    samples: Annotated[int, Field(ge=0, le=64)] = 4
    """Number of validation samples, the first ones, to keep as pictures."""


class TranslationEvaluation(Frozen):
    """FID, KID, MAE and RMSE on the validation split. QUIRKS are the released code's own."""

    QUIRKS: ClassVar[tuple[str, ...]] = ("dropout_at_test", "instance_statistics_at_test", "stretch_images")

    dropout_at_test: bool = False
    """Keep dropout active, as the released code does: outputs are random, with the cell's seed."""
    instance_statistics_at_test: bool = False
    """Normalise by per-image statistics, as in training, instead of the running ones."""
    stretch_images: bool = False
    """Stretch each image's values to 0..255 before computing FID and KID, as the released code does."""
    batch_size: PositiveInt
    extractor: Literal["inception-v3", "seeded-conv"]
    """`seeded-conv` is a stand-in that needs no Inception weights; never comparable with the paper's numbers."""
    kid_subsets: PositiveInt
    kid_subset_size: Annotated[int, Field(ge=2)]
    kid_seed: Seed
    samples: Annotated[int, Field(ge=0, le=64)] = 4


def check_fit(
    dataset: DatasetSpec,
    network: SegmentationNet | TranslationNet,
    protocol: SegmentationProtocol | TranslationProtocol,
    evaluation: SegmentationEvaluation | TranslationEvaluation,
) -> None:
    """Raises ValueError for parts that are valid alone but do not fit together."""
    if isinstance(evaluation, TranslationEvaluation):
        check_quirks(protocol.name, evaluation, evaluation.QUIRKS)
    if protocol.batch_size > dataset.train_scenes:
        too_few = f"batch_size {protocol.batch_size} exceeds train_scenes {dataset.train_scenes}"
        raise ValueError(f"{too_few}: an epoch would have no steps")
    if evaluation.samples > dataset.val_scenes:
        raise ValueError(f"samples {evaluation.samples} exceeds val_scenes {dataset.val_scenes}")
    if isinstance(evaluation, TranslationEvaluation) and evaluation.kid_subset_size > dataset.val_scenes:
        raise ValueError(f"kid_subset_size {evaluation.kid_subset_size} exceeds val_scenes {dataset.val_scenes}")
    if isinstance(network, TranslationNet):
        height, width = dataset.shape_px
        for name, side in (("crop_px", protocol.crop_px), ("size_px", height), ("width_px", width)):
            if side % 2**network.levels:
                raise ValueError(f"{name} {side} is not a multiple of 2**levels = {2**network.levels}")
