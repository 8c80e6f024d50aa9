"""Starts every modality of an encoder from the weights of one network; all private copies of a norm start equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cenbench.errors import UserError
from cenbench.nn.resnet import ResNet
from cenbench.train.trained import WEIGHTS, read_weights


def start_encoder(
    encoder: ResNet, state: Mapping[str, Tensor], name_in: Callable[[str], str], path: Path, layout: str
) -> None:
    """Load `state`, which was read from `path`, into every modality of `encoder`.

    `name_in` gives the name that a tensor of the encoder has in `state`, and `layout` says in words what such weights
    are. Norms are (C,) or (1, C) there. Raises `UserError` if a tensor is absent or has another shape. Fusion operators
    keep their random start.
    """
    own = encoder.state_dict()
    pretrained = {name: tensor for name, tensor in own.items() if not name.startswith("fusions.")}
    copied = {}
    for name, tensor in pretrained.items():
        theirs = name_in(name)
        if theirs not in state:
            raise UserError(f"not {layout}", where=path, key=theirs, found="no such key")
        copied[name] = _copy(theirs, tensor, _groups(encoder, name), state[theirs], path)
    encoder.load_state_dict({**own, **copied})


def start_from_pretraining(encoder: ResNet, folder: Path) -> None:
    """Load the encoder of the finished pretraining in `folder` into every modality of `encoder`."""
    start_encoder(
        encoder, read_weights(folder), lambda name: f"encoder.{name}", folder / WEIGHTS, "a segmentation network"
    )


def _groups(encoder: ResNet, name: str) -> int:
    """Number of modalities whose weights this tensor holds: one after a merge."""
    module = encoder.get_submodule(name.rpartition(".")[0])
    return module.groups if isinstance(module, nn.Conv2d) else 1


def _copy(name: str, own: Tensor, groups: int, found: Tensor, path: Path) -> Tensor:
    is_norm = own.dim() == 2
    value = found.squeeze(0) if is_norm else found
    # (M, C) norms repeat the row; private convolutions hold M kernels one after another.
    expected = own.shape[1:] if is_norm else (own.shape[0] // groups, *own.shape[1:])
    if value.shape != torch.Size(expected):
        problem = "these weights belong to another network"
        raise UserError(problem, where=path, key=name, found=tuple(value.shape), expected=tuple(expected))
    return value.expand(own.shape) if is_norm else value.repeat(groups, 1, 1, 1)
