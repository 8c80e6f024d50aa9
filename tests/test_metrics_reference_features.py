"""Cached features of real images are used only for the images and extractor they were computed from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cenbench.metrics.inputs.extractors import Extractor, load_extractor
from cenbench.metrics.inputs.reference_features import reference_features


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return load_extractor("seeded-conv", Path(), torch.device("cpu"))


def features(cache: Path, extractor: Extractor, dataset: str, seed: int) -> Tensor:
    images = torch.randint(0, 256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return reference_features(cache, {"dataset": dataset, "target": "rgb"}, extractor, 4, lambda: [images])


def test_a_file_of_other_images_under_the_right_name_is_not_used(
    tmp_path: Path, extractor: Extractor, caplog: pytest.LogCaptureFixture
) -> None:
    """Copied over, as a careless rsync or a restored backup does: FID was 250 where it should have been 5.7."""
    right, wrong = features(tmp_path / "a", extractor, "rooms", 1), features(tmp_path / "b", extractor, "halls", 2)
    assert not torch.equal(right, wrong)
    (name,) = (path.name for path in (tmp_path / "a").glob("*.safetensors"))
    (other,) = (tmp_path / "b").glob("*.safetensors")
    shutil.copyfile(other, tmp_path / "a" / name)
    assert torch.equal(features(tmp_path / "a", extractor, "rooms", 1), right)
    assert "other images" in caplog.text
    caplog.clear()
    assert torch.equal(features(tmp_path / "a", extractor, "rooms", 1), right)
    assert not caplog.text, "replaced by the right ones"
