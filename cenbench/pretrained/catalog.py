"""The pretrained files that can be used: name, URL, SHA-256. Torch-free; nothing is ever downloaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Asset:
    """A published file of weights. Its name holds the first eight digits of its SHA-256, which torch.hub checks."""

    name: str
    file: str
    """Its name in weights/."""
    sha256: str
    """SHA-256 (hex), or only its first digits if the rest is not public."""
    url: str

    def is_published(self, sha256: str) -> bool:
        """Whether a file with this SHA-256 (64 hex digits) is the published one, as far as its digits are known."""
        return sha256.startswith(self.sha256)


_DEPTHS = {
    # Digits beyond the eight of the name come from build recipes and code that check the file.
    18: ("resnet18-f37072fd.pth", "f37072fd"),
    34: ("resnet34-b627a593.pth", "b627a593"),
    50: ("resnet50-19c8e357.pth", "19c8e3572231adff6824a2da93fd67b5986919a2e65f8b6007eab4edee220097"),
    101: ("resnet101-5d3b4d8f.pth", "5d3b4d8f"),
    152: ("resnet152-b121ed2d.pth", "b121ed2db97ec7e9f55a91300ceaf85a326de955e8a4ae09e3a0c8170d27f14f"),
}
_INCEPTION = Asset(
    "inception-v3",
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)
IMAGENET_FILES = {depth: file for depth, (file, _) in _DEPTHS.items()}
"""ResNet depth -> the file of torchvision's ImageNet weights that the released code starts from.

Source: paper.md#initial-weights.
"""
INCEPTION_FILE = _INCEPTION.file
ASSETS = {
    **{
        f"resnet{depth}": Asset(f"resnet{depth}", file, sha256, f"https://download.pytorch.org/models/{file}")
        for depth, (file, sha256) in _DEPTHS.items()
    },
    _INCEPTION.name: _INCEPTION,
}
"""The files by the name that `cenbench weights add` takes."""
EMBEDDED = "embedded"
"""Not a file: the network that a cell of the preset trains (`pretrained: embedded`)."""
BY_FILE = {asset.file: asset for asset in ASSETS.values()}
