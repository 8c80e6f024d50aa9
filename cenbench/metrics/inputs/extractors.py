"""Feature extractors: torch-fidelity's Inception-v3, or a labelled stand-in that needs no weights file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cenbench.errors import CellSkipped
from cenbench.files import sha256_file

STAND_IN = "seeded-conv"
STAND_IN_LABEL = "features of a small convolutional network with seeded random weights, not Inception's"


@dataclass(frozen=True)
class Extractor:
    """A network from uint8 images to features."""

    name: str
    identity: str
    """Name and SHA-256 of the weights: only features of the same identity are comparable."""
    stand_in: str | None
    """Label for every number computed from its features, if it stands in for Inception."""
    network: nn.Module
    device: torch.device

    @torch.inference_mode()
    def features(self, image_u8_BCHW: Tensor) -> Tensor:
        """Features (B, D) in float64 on the CPU, of uint8 images (B, 3, H, W)."""
        features_BD: Tensor
        (features_BD,) = self.network(image_u8_BCHW.to(self.device))
        return features_BD.double().cpu()


def check_installed(name: str, weights: Path) -> None:
    """Raises `CellSkipped` if the extractor's file, `weights`, is absent. To be called before hours of training."""
    if name != STAND_IN and not weights.exists():
        raise CellSkipped(
            "the Inception-v3 weights for FID and KID are not here",
            where=weights,
            fix=f"cenbench weights add inception-v3 FILE (torch-fidelity's {weights.name}), then run again",
        )


def load_extractor(name: str, weights: Path, device: torch.device) -> Extractor:
    """`inception-v3` from the file `weights` (`CellSkipped` if it is absent), or `seeded-conv`, which reads no file."""
    if name == STAND_IN:
        network: nn.Module = SeededConv()
        return Extractor(name, f"{name} {_state_digest(network)}", STAND_IN_LABEL, network.to(device), device)
    check_installed(name, weights)
    # Imported here: torch-fidelity, torchvision and torch's compiler take 3 s of CPU time, and the stand-in needs none.
    from cenbench.metrics.inputs.inception import read_inception

    network = read_inception(weights)
    return Extractor(name, f"{name} {sha256_file(weights)}", None, network.to(device), device)


_SEED = 20201206


class SeededConv(nn.Module):
    """Three strided convolutions with seeded random weights; mean and deviation of their last and middle maps.

    Float64 throughout, so that features depend on the batch size in their last digits only. They reflect colour,
    contrast and texture, not what an image shows.
    """

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        convs = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in ((3, 16), (16, 16), (16, 32))]
        self.convs = nn.ModuleList(convs)
        self.double()
        for conv in convs:
            fan_in = conv.weight[0].numel()
            conv.weight.data.normal_(0.0, (2 / fan_in) ** 0.5, generator=generator)
            assert conv.bias is not None
            conv.bias.data.normal_(0.0, 0.1, generator=generator)
        self.requires_grad_(False)
        self.eval()

    def forward(self, image_u8_BCHW: Tensor) -> tuple[Tensor]:
        x = image_u8_BCHW.double() / 127.5 - 1
        maps = []
        for conv in self.convs:
            x = torch.relu(conv(x))
            maps.append(x)
        pooled = [x_BCHW.flatten(2) for x_BCHW in maps[1:]]
        return (torch.cat([part for x_BCN in pooled for part in (x_BCN.mean(2), x_BCN.std(2))], dim=1),)


def _state_digest(network: nn.Module) -> str:
    state = hashlib.sha256()
    for tensor in network.state_dict().values():
        state.update(tensor.cpu().numpy().tobytes())
    return state.hexdigest()
