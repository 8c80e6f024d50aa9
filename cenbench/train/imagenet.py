"""Loads ImageNet weights in torchvision's layout into our encoder; all private copies of a norm start equal."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from cenbench.errors import CellSkipped, UserError
from cenbench.nn.resnet import ResNet
from cenbench.pretrained.catalog import IMAGENET_FILES
from cenbench.tensor_file import load_tensors

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
    own = encoder.state_dict()
    # ImageNet weights have no fusion operators: those keep their random start.
    pretrained = {name: tensor for name, tensor in own.items() if not name.startswith("fusions.")}
    copied = {name: _copy(name, tensor, _groups(encoder, name), state, path) for name, tensor in pretrained.items()}
    encoder.load_state_dict({**own, **copied})


def _groups(encoder: ResNet, name: str) -> int:
    """Number of modalities whose weights this tensor holds: one after a merge."""
    module = encoder.get_submodule(name.rpartition(".")[0])
    return module.groups if isinstance(module, nn.Conv2d) else 1


def _copy(name: str, own: Tensor, groups: int, state: dict[str, Tensor], path: Path) -> Tensor:
    theirs = _official_name(name)
    if theirs not in state:
        raise UserError("not ImageNet weights in torchvision's layout", where=path, key=theirs, found="no such key")
    value = state[theirs]
    # (M, C) norms repeat the row; private convolutions hold M kernels one after another.
    expected = own.shape[1:] if own.dim() == 2 else (own.shape[0] // groups, *own.shape[1:])
    if value.shape != torch.Size(expected):
        problem = "these weights belong to another network"
        raise UserError(problem, where=path, key=theirs, found=tuple(value.shape), expected=tuple(expected))
    return value.expand(own.shape) if own.dim() == 2 else value.repeat(groups, 1, 1, 1)


def _official_name(name: str) -> str:
    for pattern, replacement in _RULES:
        match = re.fullmatch(pattern, name)
        if match:
            return re.sub(r"<(\d)>", lambda number: str(int(number[1]) + 1), match.expand(replacement))
    raise ValueError(f"{name} has no counterpart in torchvision's ResNet")
