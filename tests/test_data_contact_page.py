"""The contact sheet as a page: captions, legend, embedded pictures, and no injection from a dataset's names."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from checkout import Checkout
from PIL import Image
from tiny_dataset import write_dataset

from cenbench.data.contact_page import contact_page
from cenbench.data.contact_sheet import SIDE_PX, contact_sheet, label_colours, to_picture
from cenbench.data.manifest import write_manifest
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError


def pictures(page: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def dataset(root: Path, height: int = 6, width: int = 9) -> Prepared:
    numbers = np.random.default_rng(1)
    labels = numbers.integers(0, 10, (4, height, width)).astype(np.uint8)
    labels[1, 0, 0] = 255
    depth = np.geomspace(5_000, 60_000, height * width).astype(np.uint16).reshape(1, height, width).repeat(4, 0)
    rgb = numbers.integers(0, 256, (4, height, width, 3)).astype(np.uint8)
    prepared = write_dataset(root, {"rgb": rgb, "depth_zbuffer": depth, "semantic": labels}, 3)
    names = ("one", "<script>alert(1)</script>", "three", "four")
    entries = dict(prepared.manifest.modalities)
    entries["depth_zbuffer"] = entries["depth_zbuffer"].model_copy(update={"range": (1, 65535), "missing": 0})
    manifest = prepared.manifest.model_copy(update={"scenes": names, "modalities": entries})
    write_manifest(prepared.folder, manifest)
    return Prepared.open(prepared.folder)


def test_every_picture_is_the_stored_one(tmp_path: Path) -> None:
    prepared = dataset(tmp_path)
    contact_page(prepared, [0, 1], tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text()
    order = list(prepared.manifest.modalities)
    shown = dict(zip([(scene, name) for scene in (0, 1) for name in order], pictures(page), strict=True))
    assert (shown[1, "rgb"] == prepared.array("rgb")[1]).all()
    assert (shown[1, "semantic"] == label_colours(prepared.array("semantic")[1])).all()
    assert (shown[1, "semantic"][0, 0] == 0).all()


def test_depth_is_scaled_to_its_range(tmp_path: Path) -> None:
    """A street of 10 to 117 m must not be all white, as it would be on the scale for rooms."""
    prepared = dataset(tmp_path)
    contact_page(prepared, [0], tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text()
    gray = pictures(page)[list(prepared.manifest.modalities).index("depth_zbuffer")][..., 0].ravel().astype(int)
    assert (gray[0], gray[-1]) == (0, 255)
    assert (np.diff(gray) >= 0).all()
    near, far = (np.percentile(prepared.array("depth_zbuffer")[0], q) / 512 for q in (2, 98))
    assert f"black {near:.1f} m to white {far:.1f} m" in page


def test_captions_legend_and_escaping(tmp_path: Path) -> None:
    prepared = dataset(tmp_path)
    contact_page(prepared, [0, 1, 3], tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r'(src|href)="(?!data:)', page), "the page loads nothing"
    for words in ("Scene one", "Scene four", "a number", "train", "val", "9 class9"):
        assert words in page
    labels = prepared.array("semantic")[[0, 1, 3]]
    share = 100 * (labels == 4).sum() / (labels != 255).sum()
    assert re.search(rf"4 class4<span class=\"n\">{share:.2f} %", page)


def test_large_pictures_are_shrunk_without_new_labels(tmp_path: Path) -> None:
    prepared = dataset(tmp_path, 300, 3 * SIDE_PX)
    contact_page(prepared, [0], tmp_path / "sheet.html")
    shown = dict(zip(prepared.manifest.modalities, pictures((tmp_path / "sheet.html").read_text()), strict=True))
    assert {picture.shape for picture in shown.values()} == {(100, SIDE_PX, 3)}
    palette = {tuple(colour) for colour in label_colours(np.arange(10))}
    assert {tuple(colour) for colour in shown["semantic"].reshape(-1, 3)} <= palette


def test_the_png_sheet_is_shrunk_too_and_shows_a_street(tmp_path: Path) -> None:
    prepared = dataset(tmp_path, 300, 3 * SIDE_PX)
    contact_sheet(prepared, [0, 1], tmp_path / "sheet.png")
    assert np.asarray(Image.open(tmp_path / "sheet.png")).shape == (2 * (100 + 2), 3 * (SIDE_PX + 2), 3)
    gray = to_picture(prepared.array("depth_zbuffer")[0], "depth_zbuffer")[..., 0].ravel()
    assert 100 < gray[0] < 180 < 253 < gray[-1], "10 m to 117 m are not all white"
    room = np.geomspace(200, 3_900, 50).reshape(5, 10).astype(np.uint16)
    far = np.append(room, [[3_900] * 10], 0)
    assert (to_picture(room, "depth_zbuffer") == to_picture(far, "depth_zbuffer")[:5]).all(), "rooms keep one scale"


def test_an_unknown_scene_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no scene 4") as caught:
        contact_page(dataset(tmp_path), [4], tmp_path / "sheet.html")
    assert caught.value.expected == "0 to 3"


def test_the_file_ending_decides_the_format(prepared_checkout: Checkout, tmp_path: Path) -> None:
    show = ("python", "-m", "cenbench", "data", "show", "synthrooms", "--scenes", "2", "--out")
    prepared_checkout.run(*show, str(tmp_path / "sheet.html"))
    assert len(pictures((tmp_path / "sheet.html").read_text())) == 2 * 9
    assert ".png or .html" in prepared_checkout.run(*show, str(tmp_path / "sheet.pdf"), status=2)
