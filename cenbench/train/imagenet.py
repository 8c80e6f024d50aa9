"""Loads ImageNet weights in torchvision's layout into our encoder."""

from __future__ import annotations

import re
from pathlib import Path

from cenbench.errors import CellSkipped
from cenbench.nn.resnet import ResNet
from cenbench.pretrained.catalog import IMAGENET_FILES
from cenbench.tensor_file import load_tensors
from cenbench.train.encoder_start import start_encoder

_RULES = (
    (r"stem\.conv\.(\w+)", r"conv1.\1"),
    (r"stem_norm\.(\w+)", r"bn1.\1"),
    (r"stages\.(\d)\.(\d+)\.conv(\d)\.conv\.(\w+)", r"layer<\1>.\2.conv\3.\4"),
    (r"stages\.(\d)\.(\d+)\.norm(\d)(?:\.norm)?\.(\w+)", r"layer<\1>.\2.bn\3.\4"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.0\.conv\.(\w+)", r"layer<\1>.\2.downsample.0.\3"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.1\.(\w+)", r"layer<\1>.\2.downsample.1.\3"),
)


def load_imagenet(encoder: ResNet, depth: int, folder: Path) -> None:
    """Load the ImageNet file in `folder` for this depth into every modality of `encoder`.

    Raises `CellSkipped` if the file is absent, `UserError` if it holds another network.
    """
    path = folder / IMAGENET_FILES[depth]
    if not path.exists():
        raise CellSkipped(
            f"the ImageNet weights of ResNet-{depth} are missing",
            where=path,
            fix=f"cenbench weights add resnet{depth} FILE (torchvision's {path.name}), then rerun",
        )
    with path.open("rb") as file:
        state = load_tensors(file, path)
    layout = "ImageNet weights in torchvision's layout"
    start_encoder(encoder, state, _official_name, path, layout)


def _official_name(name: str) -> str:
    for pattern, replacement in _RULES:
        match = re.fullmatch(pattern, name)
        if match:
            return re.sub(r"<(\d)>", lambda number: str(int(number[1]) + 1), match.expand(replacement))
    raise ValueError(f"{name} has no counterpart in torchvision's ResNet")
