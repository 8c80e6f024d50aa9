"""The parts of a cell: dataset, network, protocol, evaluation. Each validates itself at construction.

Every field here is part of a cell's identity. A field added later needs a default that preserves the previous
behaviour: fields at their default are left out of the hash, so that existing cells keep their id (see `cell.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from cenbench.files import digest

PositiveInt = Annotated[int, Field(ge=1, le=10**9)]
NonNegativeInt = Annotated[int, Field(ge=0, le=10**9)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
# Larger floats are infinite in float32, in which networks are trained.
PositiveFloat = Annotated[float, Field(gt=0, le=3.4e38, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=3.4e38, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]


RENDERED: Mapping[str, int] = {"synthrooms": 2}
"""Datasets that are rendered here -> version of their renderer; the others are read from their official files."""
RAW_DEPTH = ("nyudv2", "sunrgbd")
"""Datasets that publish depth both filled and as measured."""
DEPTH_UNITS = ("nyudv2",)
"""Datasets that circulate with depth in several units."""
SPLITS = ("train", "val", "tune", "pretrain")
"""Splits of a dataset in stored order; only rendered ones have the last two."""


class Frozen(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class DatasetSpec(Frozen):
    """A prepared dataset: everything its content depends on."""

    RENDERER_KEYS: ClassVar[tuple[str, ...]] = ("version", "buildings", "tune_scenes", "pretrain_scenes")
    """Keys whose values have no meaning for another dataset."""

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
    """Raised when the renderer or adapter changes what it writes. The current one, if left out."""
    # Left out of a manifest at their defaults, so that manifests of published datasets keep their digest.
    buildings: PositiveInt = Field(1, exclude_if=lambda count: count == 1)
    """Rendered datasets: number of buildings that the rooms take turns among; rooms of a building share materials."""
    tune_scenes: NonNegativeInt = Field(0, exclude_if=lambda count: count == 0)
    """Rendered datasets: scenes on which settings are chosen before anything is evaluated on the validation split."""
    pretrain_scenes: NonNegativeInt = Field(0, exclude_if=lambda count: count == 0)
    """Rendered datasets: scenes that only a pretrained network sees."""
    depth: Literal["filled", "raw"] = Field("filled", exclude_if=lambda depth: depth == "filled")
    """NYUDv2 and SUN RGB-D: depth with its holes filled by the dataset's authors, or as the sensor measured it."""
    depth_units_per_metre: PositiveFloat | None = Field(None, exclude_if=lambda units: units is None)
    """NYUDv2 as a folder of PNGs: unit of the stored depth, if it is not 1/5000 m (1000: millimetres)."""

    @model_validator(mode="before")
    @classmethod
    def _current_version(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("name"), str) and given["name"] in RENDERED:
            return {"version": RENDERED[given["name"]], **given}
        return given

    @field_validator("width_px")
    @classmethod
    def _square_has_one_spelling(cls, width_px: int | None, info: ValidationInfo) -> int | None:
        """A width equal to the height is the default spelled out: the same dataset, so the same ids."""
        return None if width_px == info.data.get("size_px") else width_px

    @model_validator(mode="after")
    def _only_rendered_ones_have_buildings(self) -> Self:
        for key in self.RENDERER_KEYS[1:]:
            if self.name not in RENDERED and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} is for datasets that are rendered here: {', '.join(RENDERED)}")
        return self

    @model_validator(mode="after")
    def _depth_settings_are_for_datasets_that_have_them(self) -> Self:
        if self.depth != "filled" and self.name not in RAW_DEPTH:
            raise ValueError(f"depth: raw is for datasets that publish both: {', '.join(RAW_DEPTH)}")
        if self.depth_units_per_metre is not None and self.name not in DEPTH_UNITS:
            raise ValueError(f"depth_units_per_metre is for datasets of unstated unit: {', '.join(DEPTH_UNITS)}")
        return self

    @property
    def split_sizes(self) -> dict[str, int]:
        """Scenes of each split that the dataset has, in stored order."""
        sizes = (self.train_scenes, self.val_scenes, self.tune_scenes, self.pretrain_scenes)
        return {split: size for split, size in zip(SPLITS, sizes, strict=True) if size}

    @property
    def scenes(self) -> int:
        """Scenes of all splits."""
        return sum(self.split_sizes.values())

    @property
    def shape_px(self) -> tuple[int, int]:
        """(height, width) of every stored image in pixels."""
        return self.size_px, self.width_px or self.size_px


def dataset_key(spec: DatasetSpec) -> str:
    """Folder name of a prepared dataset: a readable part, then ten hex digits over the whole spec."""
    size = "x".join(str(side) for side in dict.fromkeys(spec.shape_px))
    content = spec.model_dump(mode="json", exclude_defaults=True)
    return f"{spec.name}-{size}px-{digest(content)[:10]}"


class Network(Frozen):
    """What the networks of both tasks have in common."""

    CAN_MERGE: ClassVar[bool]
    """Whether the modalities can be merged into one stream."""

    dropout: Fraction = 0.5

    @property
    def stages_without_norm(self) -> Mapping[str, str]:
        """Stages at which no norm can exchange, with the place of their convolution in words."""
        return {}

    @property
    def imagenet_depth(self) -> int | None:
        """Depth of the ResNet whose ImageNet weights the network starts from; None for a random start."""
        return None

    def check_fit(self, dataset: DatasetSpec, crop_px: int) -> None:
        """Raises ValueError for images that the network cannot read."""


class Pretraining(Frozen):
    """How the network is trained that `pretrained: embedded` starts from: RGB alone, on the dataset's split `pretrain`.

    A start like ImageNet's weights that needs no file: the same scenes are in no other split, and all seeds of a preset
    start from the same network.
    """

    epochs: PositiveInt = 12
    batch_size: PositiveInt = 8
    lr: PositiveFloat = 3e-3
    """Peak of AdamW's learning rate, which falls along half a cosine after the warm-up."""
    warmup_steps: NonNegativeInt = 6
    weight_decay: NonNegativeFloat = 1e-2
    gamma_init: Literal["ones", "uniform"] = "ones"
    """Scaling factors that the pretraining itself starts from."""
    seed: Seed = 1


class SegmentationNet(Network):
    """A ResNet encoder with a RefineNet (paper.md#refinenet) or PSPNet decoder."""

    CAN_MERGE = True
    STRIDE: ClassVar[int] = 32
    """Pixels of an image per pixel of RefineNet's deepest map, along each side."""

    head: Literal["refinenet", "pspnet"]
    depth: Literal[18, 34, 50, 101, 152]
    width: PositiveInt = 64
    """Channels of the stem; 64 in the original ResNet."""
    decoder_width: PositiveInt = 256
    """Channels of RefineNet's stages 2-4 (the deepest stage has twice as many), or of PSPNet's last convolution."""
    pretrained: Literal[True, False, "embedded"]
    """Start the encoder from ImageNet weights (true), from a random start (false), or from a network that is trained
    here (embedded). Missing ImageNet weights skip the cell; there is no silent random start.
    """
    pretraining: Pretraining = Pretraining()
    """How that network is trained; read with `pretrained: embedded` only."""

    @field_validator("pretrained", mode="before")
    @classmethod
    def _not_a_number(cls, pretrained: Any) -> Any:
        if isinstance(pretrained, int | float) and not isinstance(pretrained, bool):
            raise ValueError("not true, false or embedded")
        return pretrained

    @property
    def imagenet_depth(self) -> int | None:
        return self.depth if self.pretrained is True else None

    def check_fit(self, dataset: DatasetSpec, crop_px: int) -> None:
        if self.pretrained == "embedded" and dataset.pretrain_scenes < self.pretraining.batch_size:
            raise ValueError(
                f"pretrained: embedded needs at least {self.pretraining.batch_size} scenes of the split pretrain, one "
                f"batch; {dataset.name} has {dataset.pretrain_scenes}: set pretrain_scenes in the dataset "
                f"(only for datasets that are rendered here: {', '.join(RENDERED)})"
            )
        if self.pretrained == "embedded":
            self.check_deepest_norms(dataset, crop_px, self.pretraining.batch_size, "pretraining.batch_size")

    @classmethod
    def check_deepest_norms(cls, dataset: DatasetSpec, crop_px: int, batch_size: int, key: str = "batch_size") -> None:
        """Raises ValueError for batches that leave RefineNet's deepest batch norms one value per channel in training.

        They are trained on crops; their statistics are re-estimated on whole images.
        """
        side = min(crop_px, max(dataset.shape_px))
        if batch_size == 1 and side <= cls.STRIDE:
            raise ValueError(
                f"{key} 1 at {side} px leaves one value per channel to the deepest batch norms: it must be at least 2, "
                f"or crops and images larger than {cls.STRIDE} px"
            )


class TranslationNet(Network):
    """U-Net generator (paper.md#u-net) and PatchGAN discriminator (paper.md#patchgan)."""

    CAN_MERGE = False

    head: Literal["unet"]
    levels: Annotated[int, Field(ge=3, le=9)]
    """Number of down-blocks; eight at 256 px. The input's sides must be multiples of 2**levels."""
    generator_width: PositiveInt = 64
    discriminator_width: PositiveInt = 64
    discriminator_layers: PositiveInt = 3
    encoder_norms: Literal["inner", "all"] = "inner"
    """Encoder convolutions that a norm follows, and with it the l1 term and exchange: all but the first and the last,
    as in the released code, or all, as in the paper's supplement (paper.md#unused-norms).
    """

    @property
    def stages_without_norm(self) -> Mapping[str, str]:
        return {"early": "first", "late": "last"} if self.encoder_norms == "inner" else {}

    def check_fit(self, dataset: DatasetSpec, crop_px: int) -> None:
        height, width = dataset.shape_px
        for name, side in (("crop_px", crop_px), ("size_px", height), ("width_px", width)):
            if side % 2**self.levels:
                raise ValueError(f"{name} {side} is not a multiple of 2**levels = {2**self.levels}")
            if self.encoder_norms == "all" and side == 2**self.levels:
                raise ValueError(
                    f"encoder_norms: all normalises the deepest map, which has one pixel at {name} {side} and levels "
                    f"{self.levels}: an instance norm would make it zero (allowed: inner, or fewer levels)"
                )


class SegmentationPhase(Frozen):
    """A part of training at constant learning rates; the optimisers are created anew at its start.

    Source: paper.md#segmentation.
    """

    epochs: PositiveInt
    lr_encoder: PositiveFloat
    lr_decoder: PositiveFloat


class Quirky(Frozen):
    """A part whose settings named in QUIRKS reproduce the released code where one would do otherwise today."""

    QUIRKS: ClassVar[tuple[str, ...]] = ()

    @property
    def active_quirks(self) -> tuple[str, ...]:
        return tuple(quirk for quirk in self.QUIRKS if getattr(self, quirk) not in (False, "last"))

    def lacks(self, quirk: str) -> bool:
        """Whether the released code has this quirk here and this part does not."""
        return quirk in self.QUIRKS and quirk not in self.active_quirks

    def check_quirks(self, protocol: str) -> None:
        """Raises ValueError if protocol `clean` has a quirk or `official` lacks one; other names are free."""
        for quirk in self.QUIRKS:
            value = getattr(self, quirk)
            if protocol == "clean" and not self.lacks(quirk):
                raise ValueError(
                    f"protocol clean forbids {quirk}: {str(value).lower()}, a quirk of the released code "
                    "(give the protocol another name to choose quirks one by one)"
                )
            if protocol == "official" and self.lacks(quirk):
                required = "best" if quirk == "selection" else "true"
                raise ValueError(
                    f"protocol official needs {quirk}: {required}, as the released code does "
                    "(give the protocol another name to choose quirks one by one)"
                )


class TrainingProtocol(Quirky):
    """How a cell is trained: what both tasks have in common. Names are the paper's."""

    MOVED: ClassVar[Mapping[str, str]] = {
        "align_weight": "it is a parameter of the fusion method now: set `override: {fusion: {weight: ...}}` in the "
        "table's rows that say `fusion: align`"
    }
    """Keys of former versions, and where their values belong now."""

    name: Name
    """`clean`: current good practice, no quirk; `official`: every quirk of the released code; else your choice."""
    batch_size: PositiveInt
    lambda_l1: NonNegativeFloat
    """Weight of the l1 norm of the constrained scaling factors (paper.md#equation-4)."""
    theta: PositiveFloat
    """Exchange threshold on |gamma| (paper.md#equation-6)."""
    selection: Literal["last", "best"] = "last"
    """Which weights are evaluated: the last, or the best on the validation split, as in the released code.

    Best is the highest mean IoU of the ensemble, or the lowest FID of any output.
    """
    select_every_epochs: PositiveInt = 5
    """Epochs between two validations for `best`."""
    exchange_own_part_only: bool = False
    """Exchange only within each modality's own part of the channels: the paper's text, not its code.

    Source: paper.md#own-part.
    """
    train_split: Literal["train", "pretrain"] = "train"
    """The split that is trained on. `pretrain` is for networks that others start from; only rendered datasets have it.
    """
    crop_px: PositiveInt
    mirror: bool = True
    """Mirror half of the training samples."""
    precision: Literal["float32", "bfloat16"] = "float32"
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rates after the warm-up: constant, or falling to zero along half a cosine over the whole training."""
    warmup_steps: NonNegativeInt = 0
    """Steps at the start during which the learning rates rise linearly."""
    traced_convs: Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=4)] = (7, 8)
    """Convolutions of the encoder after which the scaling factors are recorded along the training (figure 5).

    Counted from one: the 3x3 ones of a ResNet, all of a U-Net. Where a network has no constrained norm after any of
    these, the last one that it has.
    """

    @property
    @abstractmethod
    def optimizer_moments(self) -> int:
        """Tensors that the optimiser keeps per parameter."""

    @property
    @abstractmethod
    def total_epochs(self) -> int:
        """Passes over the training split, all phases together."""

    def l1_weight(self, streams: int) -> float:
        """Factor of the l1 term in the loss of a network with this number of output streams."""
        return self.lambda_l1

    @model_validator(mode="after")
    def _quirks_fit_the_name(self) -> Self:
        self.check_quirks(self.name)
        return self


class SegmentationProtocol(TrainingProtocol):
    """How a segmentation cell is trained (paper.md#segmentation)."""

    QUIRKS = ("freeze_norm_statistics", "lambda_per_head", "pad_depth_as_rgb", "selection")

    phases: Annotated[tuple[SegmentationPhase, ...], Field(min_length=1)]
    momentum: Fraction
    """Momentum of SGD; AdamW's beta1 (its beta2 is 0.999)."""
    weight_decay: NonNegativeFloat
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum, or AdamW, whose weight decay is decoupled from the learning rate's adaptation."""
    gamma_init: Literal["ones", "uniform", "independent"] = "ones"
    """Scaling factors of a random start: one, or U(0, 1), from which a short training brings some below theta.

    `uniform`: private copies start equal. `independent`: they are drawn separately for each modality.
    """
    lambda_per_head: bool = False
    """Add the l1 term once per output, as the released code does, instead of once per step."""
    freeze_norm_statistics: bool = False
    """Keep running statistics at their initial values in training, as the released code does."""
    pad_depth_as_rgb: bool = False
    """Pad depth with ImageNet's colour means read as depth, as the released code does (0.02 m, not 0)."""
    auxiliary_weight: NonNegativeFloat = 0.4
    """Weight of PSPNet's auxiliary predictions."""
    scale_min: PositiveFloat = 0.5
    scale_max: PositiveFloat = 2.0
    min_side_px: PositiveInt | None = None
    """A smaller scale is raised until the image's shorter side has this length (350 in the released code)."""

    def l1_weight(self, streams: int) -> float:
        return self.lambda_l1 * (streams if self.lambda_per_head else 1)

    @property
    def optimizer_moments(self) -> int:
        return 1 if self.optimizer == "sgd" else 2

    @property
    def total_epochs(self) -> int:
        return sum(phase.epochs for phase in self.phases)

    @model_validator(mode="after")
    def _scales_ordered(self) -> Self:
        if self.scale_min > self.scale_max:
            raise ValueError(f"scale_min {self.scale_min} exceeds scale_max {self.scale_max}")
        return self


class TranslationProtocol(TrainingProtocol):
    """How a translation cell is trained (paper.md#translation)."""

    QUIRKS = ("two_generator_passes", "crop_past_edge", "selection")

    epochs: PositiveInt
    lr: PositiveFloat
    beta1: Fraction
    beta2: Fraction
    image_weight: NonNegativeFloat = 100.0
    """Weight of the l1 distance between generated and target image."""
    gamma_init: Literal["uniform", "ones", "independent"] = "uniform"
    """Scaling factors start at U(0, 1), as in the torch the paper used, or at one (paper.md#initial-weights).

    `uniform`: private copies start equal. `independent`: they are drawn separately for each modality.
    """
    two_generator_passes: bool = False
    """Generate anew for the generator's own step, with other dropout, as the released code does."""
    crop_past_edge: bool = False
    """Let crops begin one pixel too far, over a black border, as the released code does."""
    resize_px: PositiveInt
    """Images are resized to this side before the crop (286 in the paper)."""

    @property
    def optimizer_moments(self) -> int:
        return 2

    @property
    def total_epochs(self) -> int:
        return self.epochs

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop_px > self.resize_px:
            raise ValueError(f"crop_px {self.crop_px} exceeds resize_px {self.resize_px}")
        return self


NormStatistics = Literal["running", "reestimated", "own"]


class Evaluation(Quirky):
    """How a trained cell is evaluated: what both tasks have in common."""

    batch_size: PositiveInt
    split: Literal["val", "tune"] = "val"
    """The split that is evaluated. `tune` is for choosing settings; only rendered datasets have it."""
    samples: Annotated[int, Field(ge=0, le=64)] = 4
    """Number of samples of the split, the first ones, to keep as pictures; besides, its hard scenes, unless it is 0."""

    norm_statistics: NormStatistics = "running"
    """What norms normalise by: the running statistics of training; those re-estimated over the whole training split
    with the final weights; or each image's own (translation only). The record holds the scores with each.
    """

    @property
    def statistics(self) -> NormStatistics:
        """What norms normalise by, however it was set."""
        return self.norm_statistics

    @property
    def reads_inception(self) -> bool:
        """Whether it needs the Inception weights."""
        return False

    def selecting(self) -> dict[str, Any]:
        """Those settings that decide which weights `selection: best` chooses.

        Segmentation has only the split: its mean IoU is computed in the same way under every evaluation.
        """
        return {} if self.split == "val" else {"selected_on": self.split}

    def check_selection(self, selection: str) -> None:
        """Raises ValueError where weights would be selected with other norm statistics than they are evaluated with."""
        if selection == "best" and self.norm_statistics != "running":
            raise ValueError(
                f"selection: best validates with running norm statistics, so norm_statistics cannot be "
                f"{self.norm_statistics} (allowed: running, or selection: last)"
            )

    def check_fit(self, dataset: DatasetSpec) -> None:
        """Raises ValueError for a split that the dataset lacks, and for more samples than the split has."""
        if self.split not in dataset.split_sizes:
            raise ValueError(f"split {self.split} has no scenes: set {self.split}_scenes in the dataset")
        self._check_scenes("samples", self.samples, dataset)

    def _check_scenes(self, key: str, wanted: int, dataset: DatasetSpec) -> None:
        scenes = dataset.split_sizes[self.split]
        if wanted > scenes:
            raise ValueError(f"{key} {wanted} exceeds {self.split}_scenes {scenes}")


class SegmentationEvaluation(Evaluation):
    """Evaluation at full size."""

    scales: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (1.0,)
    """Scales of the image; class probabilities are averaged over them. Just 1.0 is single-scale evaluation."""
    flip: bool = False
    """Evaluate each scale mirrored too."""

    @field_validator("norm_statistics")
    @classmethod
    def _batch_norms_have_no_own(cls, norm_statistics: NormStatistics) -> NormStatistics:
        if norm_statistics == "own":
            raise ValueError("norm_statistics: own is for instance norms, which only translation has")
        return norm_statistics


class TranslationEvaluation(Evaluation):
    """FID, KID, MAE and RMSE."""

    QUIRKS = ("dropout_at_test", "instance_statistics_at_test", "stretch_images")

    dropout_at_test: bool = False
    """Keep dropout active, as the released code does: outputs are random, with the cell's seed."""
    instance_statistics_at_test: bool = False
    """Normalise by per-image statistics, as in training: the quirk's name for `norm_statistics: own`."""
    stretch_images: bool = False
    """Stretch each image's values to 0..255 before computing FID and KID, as the released code does."""
    extractor: Literal["inception-v3", "seeded-conv"]
    """`seeded-conv` is a stand-in that needs no Inception weights; never comparable with the paper's numbers."""
    kid_subsets: PositiveInt
    kid_subset_size: Annotated[int, Field(ge=2)]
    kid_seed: Seed

    @model_validator(mode="after")
    def _one_spelling(self) -> Self:
        if self.instance_statistics_at_test and self.norm_statistics != "running":
            raise ValueError("instance_statistics_at_test: true chooses own statistics: leave out norm_statistics")
        return self

    @property
    def statistics(self) -> NormStatistics:
        return "own" if self.instance_statistics_at_test else self.norm_statistics

    @property
    def reads_inception(self) -> bool:
        return self.extractor == "inception-v3"

    def selecting(self) -> dict[str, Any]:
        """The lowest FID depends on features and pixels; with dropout also on which images share a batch."""
        read = {"extractor", *self.QUIRKS} | ({"batch_size"} if self.dropout_at_test else set())
        return super().selecting() | {"selected_by": self.model_dump(mode="json", include=read)}

    def check_fit(self, dataset: DatasetSpec) -> None:
        super().check_fit(dataset)
        self._check_scenes("kid_subset_size", self.kid_subset_size, dataset)


def check_fit(dataset: DatasetSpec, network: Network, protocol: TrainingProtocol, evaluation: Evaluation) -> None:
    """Raises ValueError for parts that are valid alone but do not fit together."""
    evaluation.check_quirks(protocol.name)
    evaluation.check_selection(protocol.selection)
    scenes = dataset.split_sizes.get(protocol.train_split, 0)
    if protocol.batch_size > scenes:
        too_few = f"batch_size {protocol.batch_size} exceeds {protocol.train_split}_scenes {scenes}"
        raise ValueError(f"{too_few}: an epoch would have no steps")
    evaluation.check_fit(dataset)
    network.check_fit(dataset, protocol.crop_px)
