"""ImageNet weights: torchvision's network gives the same features; what is absent or wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cenbench.errors import CellSkipped, UserError
from cenbench.metrics.inputs.torchvision_shim import import_torchvision
from cenbench.nn.resnet import ResNet
from cenbench.nn.segmenter import build_segmenter
from cenbench.pretrained.catalog import IMAGENET_FILES
from cenbench.train.imagenet import load_imagenet


def encoder(depth: int, **options: object) -> ResNet:
    settings = {"convs": "shared", "norms": "unshared", "fusion": "none", "modalities": 2, **options}
    net = build_segmenter(classes=3, depth=depth, width=64, decoder_width=4, dropout=0.0, theta=0.1, **settings)
    return net.encoder.eval().double()


@pytest.mark.parametrize(("depth", "convs"), [(18, "shared"), (50, "shared"), (18, "unshared")])
def test_every_modality_gives_torchvisions_features(tmp_path: Path, depth: int, convs: str) -> None:
    torch.manual_seed(0)
    import_torchvision()
    from torchvision.models import resnet18, resnet50

    theirs = {18: resnet18, 50: resnet50}[depth](weights=None).eval().double()
    for name, tensor in theirs.state_dict().items():
        if tensor.is_floating_point() and any(part in name for part in ("bn", "downsample.1")):
            tensor.uniform_(0.5, 1.5)  # else every norm is the identity and a mix-up would not show
    torch.save(theirs.state_dict(), tmp_path / IMAGENET_FILES[depth])
    ours = encoder(depth, convs=convs)
    load_imagenet(ours, depth, tmp_path)
    x = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
    outputs, _ = ours(x[:, None].expand(-1, 2, -1, -1, -1).contiguous())
    for stage, found in enumerate(outputs, start=1):
        y = getattr(theirs, f"layer{stage}")(y)
        for modality in range(2):
            # In float64, so that only a real mix-up differs: sums in another order agree to about 1e-13.
            torch.testing.assert_close(found[:, modality], y, rtol=1e-9, atol=1e-9)


def test_absent_weights_skip_the_cell_and_say_which_file(tmp_path: Path) -> None:
    with pytest.raises(CellSkipped) as caught:
        load_imagenet(encoder(18), 18, tmp_path)
    assert IMAGENET_FILES[18] in str(caught.value)
    assert "fix" in str(caught.value)


def test_another_network_a_cut_file_and_a_pickle_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / IMAGENET_FILES[18]
    torch.save({"conv1.weight": torch.zeros(8, 3, 7, 7)}, path)
    with pytest.raises(UserError, match=r"(?s)another network.*conv1.weight.*\(8, 3, 7, 7\).*\(64, 3, 7, 7\)"):
        load_imagenet(encoder(18), 18, tmp_path)
    torch.save({"something": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"(?s)torchvision's layout.*conv1.weight"):
        load_imagenet(encoder(18), 18, tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="not a complete file of weights"):
        load_imagenet(encoder(18), 18, tmp_path)
    torch.save({"conv1.weight": print}, path)
    with pytest.raises(UserError, match="could run arbitrary code"):
        load_imagenet(encoder(18), 18, tmp_path)
