"""Rendered rooms: all modalities show the same scene, in their declared ranges, and agree with the geometry."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from raycast import View, look
from scipy import ndimage

from cenbench.data.batches import EvalBatches
from cenbench.data.manifest import split_limits
from cenbench.data.prepared import Prepared
from cenbench.data.synthrooms.parts import CLASSES
from cenbench.data.synthrooms.prepare import prepare_synthrooms, scene_numbers
from cenbench.data.synthrooms.room import Room, random_room
from cenbench.data.synthrooms.scene import render_scene
from cenbench.errors import UserError
from cenbench.matrix.cell import Task
from cenbench.matrix.specs import DatasetSpec, dataset_key

SPEC = DatasetSpec(name="synthrooms", size_px=32, width_px=40, train_scenes=8, val_scenes=2, seed=3)
SCENES = range(10)
NUMBERS = scene_numbers(SPEC)
"""The scenes' numbers, in the order in which they are stored."""
UNITS_PER_METRE = 512
DISPARITY = 350.0
"""The sensor's disparity at one metre, in steps."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared.open(prepare_synthrooms(SPEC, tmp_path_factory.mktemp("rooms"), 1, False))


@pytest.fixture(scope="module")
def views() -> list[tuple[Room, View]]:
    rooms = [random_room(SPEC.seed, number) for number in NUMBERS]
    return [(room, look(room, *SPEC.shape_px)) for room in rooms]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_processes_give_the_bytes_of_one(prepared: Prepared, tmp_path: Path) -> None:
    folder = prepare_synthrooms(SPEC, tmp_path, 2, False)
    assert folder.name == prepared.folder.name == dataset_key(SPEC)
    assert contents(folder) == contents(prepared.folder)
    assert not folder.with_name(f"{folder.name}.partial").exists()


def test_a_scene_depends_only_on_seed_and_number(prepared: Prepared) -> None:
    larger = SPEC.model_copy(update={"train_scenes": 500, "val_scenes": 100, "tune_scenes": 3})
    other = render_scene(SPEC.model_copy(update={"seed": 4}), 5)
    for name, image in render_scene(larger, 5).items():
        np.testing.assert_array_equal(image, prepared.array(name)[5])
        assert (image != other[name]).any(), f"another seed, the same {name}"
        assert (image != prepared.array(name)[6]).any(), f"another scene, the same {name}"


def test_another_version_of_the_renderer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no such version") as caught:
        prepare_synthrooms(SPEC.model_copy(update={"version": 99}), tmp_path, 1, False)
    assert caught.value.found == 99


def test_values_stay_in_their_declared_ranges_and_use_them(prepared: Prepared) -> None:
    for name, entry in prepared.manifest.modalities.items():
        array = np.asarray(prepared.array(name))
        known = array if entry.missing is None else array[array != entry.missing]
        assert entry.range[0] <= known.min()
        assert known.max() <= entry.range[1]
        assert len(np.unique(known)) >= 13, f"{name} holds few distinct values"
    # Rooms are at most 6 x 5 x 3 m: distances lie between the sensor's nearest and the diagonal.
    depth = np.asarray(prepared.array("depth_euclidean")) / UNITS_PER_METRE
    assert depth[depth > 0].min() > 0.35
    assert depth.max() < 8.5


def test_many_classes_and_little_void(prepared: Prepared) -> None:
    labels = np.asarray(prepared.array("semantic"))
    assert prepared.classes == CLASSES
    assert len(CLASSES) >= 13
    assert len(set(np.unique(labels)) - {prepared.void}) >= 13
    assert 0 < (labels == prepared.void).mean() < 0.1
    for name in ("wall", "floor", "ceiling"):
        share = (labels == CLASSES.index(name)).mean((1, 2))
        assert np.count_nonzero(share > 0.02) >= 8, f"nearly every room shows a {name}"


def test_labels_are_those_of_the_nearest_part(prepared: Prepared, views: list[tuple[Room, View]]) -> None:
    """Compared with rays intersected part by part. Rays along an edge may hit either side: one pixel in a hundred."""
    for index, (room, view) in zip(SCENES, views, strict=True):
        names = [part.label for part in room.parts]
        numbers = np.array([CLASSES.index(name) if name in CLASSES else prepared.void for name in names])
        same = numbers[view.part_HW] == prepared.array("semantic")[index]
        assert view.sure_HW.mean() > 0.5
        assert same[view.sure_HW].mean() > 0.99


def test_depth_is_that_of_the_nearest_part(prepared: Prepared, views: list[tuple[Room, View]]) -> None:
    """Disparity has steps of 1/350 m^-1 and noise of half a step: the tolerance is four deviations and the rounding."""
    for index, (_, view) in zip(SCENES, views, strict=True):
        for name, expected_HW in (
            ("depth_euclidean", view.distance_HW),
            ("depth_zbuffer", view.distance_HW * view.forward_HW),
        ):
            found_HW = prepared.array(name)[index] / UNITS_PER_METRE
            known = (found_HW > 0) & view.sure_HW
            tolerance = 2.5 * (view.distance_HW * view.forward_HW) / DISPARITY + 0.01
            right = np.abs(found_HW / expected_HW - 1)[known] < tolerance[known]
            assert right.mean() > 0.99
            # No offset: the noise of hundreds of pixels averages out.
            assert abs(np.median((found_HW - expected_HW)[known])) < 0.01


def test_distance_is_planar_depth_divided_by_a_cosine(prepared: Prepared, views: list[tuple[Room, View]]) -> None:
    euclidean, planar = (np.asarray(prepared.array(f"depth_{name}"), float) for name in ("euclidean", "zbuffer"))
    np.testing.assert_array_equal(euclidean > 0, planar > 0)
    assert (euclidean >= planar).all()
    for index, (_, view) in zip(SCENES, views, strict=True):
        known = planar[index] > 0
        # Both are rounded to whole units: half a unit each.
        error = (euclidean[index] - planar[index] / view.forward_HW)[known]
        assert np.abs(error).max() <= 0.5 + 0.5 / view.forward_HW.min() + 1e-3


def test_depth_has_holes_where_a_sensor_has_them(prepared: Prepared) -> None:
    holes = np.asarray(prepared.array("depth_zbuffer")) == 0
    shares = holes.mean((1, 2))
    assert shares.min() > 0.005, "every scene has holes"
    assert shares.max() < 0.6, "every scene has depth"
    labels = np.asarray(prepared.array("semantic"))
    shiny = holes[np.isin(labels, [CLASSES.index(name) for name in ("mirror", "window", "television")])]
    plain = holes[np.isin(labels, [CLASSES.index(name) for name in ("wall", "floor", "ceiling")])]
    assert shiny.mean() > 0.4 > 0.15 > plain.mean() > 0


def test_normals_are_of_unit_length_and_floors_are_level(prepared: Prepared, views: list[tuple[Room, View]]) -> None:
    normal = np.asarray(prepared.array("normal")) / 127.5 - 1
    # Each axis is rounded by at most 0.5 / 127.5.
    rounding = 3**0.5 * 0.5 / 127.5 + 1e-6
    assert np.abs(np.linalg.norm(normal, axis=-1) - 1).max() <= rounding
    for index, (_, view) in zip(SCENES, views, strict=True):
        labels = prepared.array("semantic")[index]
        for name, expected in (("floor", view.up), ("ceiling", -view.up)):
            found = normal[index][labels == CLASSES.index(name)]
            assert np.abs(found - expected).max(initial=0) <= rounding
        facing = np.sum(normal[index] * -view.rays_HWC, axis=-1)
        assert facing.min() > -2 * rounding, "visible surfaces face the camera"


def test_shade_is_the_normals_under_the_declared_light(prepared: Prepared) -> None:
    light = np.array([0.35, 0.55, 0.76]) / np.linalg.norm([0.35, 0.55, 0.76])
    normal = np.asarray(prepared.array("normal")) / 127.5 - 1
    expected = 255 * (0.1 + 0.9 * np.clip(normal @ light, 0, 1))
    # Rounding of the normals (0.5 / 127.5 an axis, times 230) and of the shade.
    assert np.abs(expected - prepared.array("shade")).max() <= 230 * 3**0.5 * 0.5 / 127.5 + 0.51


def sobel(values_HW: np.ndarray) -> np.ndarray:
    """Gradient per pixel by SciPy."""
    return np.hypot(*(ndimage.sobel(values_HW, axis=axis, mode="nearest") / 8 for axis in (0, 1)))


def test_texture_is_the_gradient_of_the_well_exposed_picture(prepared: Prepared) -> None:
    for index in SCENES:
        gray = prepared.array("rgb_well_exposed")[index] @ np.array([0.299, 0.587, 0.114]) / 255
        expected = 10_000 * np.minimum(sobel(gray) / 0.35, 1)
        assert np.abs(expected - prepared.array("texture")[index]).max() <= 0.5 + 1e-6


def test_edge_is_the_gradient_of_clean_distance(prepared: Prepared, views: list[tuple[Room, View]]) -> None:
    for index, (_, view) in zip(SCENES, views, strict=True):
        expected = 10_000 * np.minimum(sobel(np.sqrt(view.distance_HW)) / 0.25, 1)
        sure = ndimage.binary_erosion(view.sure_HW, np.ones((3, 3)), border_value=1)
        # Mitsuba's distances are float32; a ray along an edge may hit either side, which also affects its neighbours.
        right = np.abs(expected - prepared.array("edge")[index])[sure] <= 2
        assert right.mean() > 0.97


def test_pictures_change_where_labels_change(prepared: Prepared) -> None:
    """Colour has no closed form, but its gradient is largest on label borders if nothing is shifted."""
    texture, labels = np.asarray(prepared.array("texture"), float), np.asarray(prepared.array("semantic"))
    border = np.zeros(labels.shape, bool)
    border[:, :, 1:-1] = labels[:, :, 2:] != labels[:, :, :-2]
    border[:, 1:-1] |= labels[:, 2:] != labels[:, :-2]
    inner = np.s_[:, 4:-4, 4:-4]

    def on_border(down: int, across: int) -> float:
        return float(np.roll(texture, (down, across), (1, 2))[inner][border[inner]].mean())

    aligned = on_border(0, 0)
    assert aligned > 1.5 * texture[inner][~border[inner]].mean()
    for shift in ((0, 2), (0, -2), (2, 0), (-2, 0)):
        assert aligned > 1.1 * on_border(*shift)


def test_splits_share_no_scene_and_do_not_depend_on_each_others_sizes() -> None:
    sizes = {"train_scenes": 7, "val_scenes": 5, "tune_scenes": 4, "pretrain_scenes": 3}
    spec = SPEC.model_copy(update=sizes)
    numbers = scene_numbers(spec)
    assert len(set(numbers)) == spec.scenes == 19
    larger = set(scene_numbers(spec.model_copy(update={"train_scenes": 100, "tune_scenes": 0})))
    limits = split_limits(spec)
    assert list(limits) == ["train", "val", "tune", "pretrain"]
    for split, (start, stop) in limits.items():
        assert stop - start == sizes[f"{split}_scenes"]
        assert (set(numbers[start:stop]) <= larger) == (split != "tune")


def materials_of(seed: int, number: int, buildings: int, label: str) -> set[tuple[float, ...]]:
    """Colours of the parts with this label."""
    parts = random_room(seed, number, buildings).parts
    return {part.material.colour for part in parts if part.label == label}


@pytest.mark.parametrize(("label", "at_most"), [("floor", 2), ("door", 6), ("sofa", 3), ("box", 2), ("bookshelf", 5)])
def test_rooms_of_a_building_share_its_materials(label: str, at_most: int) -> None:
    """A door has a leaf, a white frame and metal (two each); a bookshelf wood and books (two and three)."""
    one = set().union(*(materials_of(3, number, 1, label) for number in range(40)))
    assert 2 <= len(one) <= at_most
    every_third = set().union(*(materials_of(3, number, 3, label) for number in range(0, 60, 3)))
    next_door = set().union(*(materials_of(3, number, 3, label) for number in range(1, 60, 3)))
    assert len(every_third) <= at_most
    assert not every_third & next_door, "another building, other materials"
    assert not one & set().union(*(materials_of(4, number, 1, label) for number in range(40))), "another seed"


def test_only_the_cameras_picture_has_its_exposure() -> None:
    """The well-exposed picture of a dark or overexposed room is about as bright as that of any room."""
    for exposure, wrong in (("dark", lambda level: level < 80), ("over", lambda level: level > 200)):
        number = next(number for number in range(100) if random_room(SPEC.seed, number).exposure == exposure)
        scene = render_scene(SPEC, number)
        assert wrong(scene["rgb"].mean())
        assert 90 < scene["rgb_well_exposed"].mean() < 170


def test_dark_pictures_do_not_affect_depth() -> None:
    """In a dark room rgb is nearly black while depth is measured as elsewhere."""
    dark = next(index for index in range(100) if random_room(SPEC.seed, index).exposure == "dark")
    scene = render_scene(SPEC, dark)
    assert scene["rgb"].mean() < 80
    assert (scene["depth_zbuffer"] > 0).mean() > 0.4


def test_inputs_are_the_cameras_pictures_and_targets_the_well_exposed_ones(prepared: Prepared) -> None:
    def of(task: str) -> tuple[np.ndarray, np.ndarray]:
        inputs, target = next(iter(EvalBatches(prepared, Task.parse(task), "val", 2)))
        return inputs[:, 0].numpy(), target.numpy()

    camera, well_exposed = (
        np.moveaxis(prepared.array(name)[8:10].astype(np.float32), -1, 1) / 127.5 - 1
        for name in ("rgb", "rgb_well_exposed")
    )
    assert np.abs(camera - well_exposed).max() > 0.1
    np.testing.assert_allclose(of("rgb+shade->normal")[0], camera, atol=1e-6)
    np.testing.assert_allclose(of("shade+texture->rgb")[1], well_exposed, atol=1e-6)


def test_preparing_again_changes_nothing(prepared: Prepared, tmp_path: Path) -> None:
    folder = tmp_path / prepared.folder.name
    shutil.copytree(prepared.folder, folder)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert prepare_synthrooms(SPEC, tmp_path, 1, False) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
