"""Pretrained files by name: where a user places them, and who makes them. Torch-free; nothing is ever downloaded."""

from __future__ import annotations

IMAGENET_FILES = {
    18: "resnet18-f37072fd.pth",
    34: "resnet34-b627a593.pth",
    50: "resnet50-19c8e357.pth",
    101: "resnet101-5d3b4d8f.pth",
    152: "resnet152-b121ed2d.pth",
}
"""ResNet depth -> the file of torchvision's ImageNet weights that the released code starts from (facts 2a)."""
