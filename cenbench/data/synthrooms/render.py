"""Render a room with Mitsuba: a linear colour picture and exact geometry. The only module that imports Mitsuba.

Colour is path-traced with one bounce; a constant ambient term approximates further bounces. Geometry comes from a
separate pass with one ray through the centre of each pixel, so labels are never blended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import drjit
import mitsuba
import numpy as np

from cenbench.data.synthrooms.denoise import denoise
from cenbench.data.synthrooms.materials import pattern_rgb
from cenbench.data.synthrooms.parts import Material, Part
from cenbench.data.synthrooms.room import Room

AMBIENT = 0.35
"""Share of the picture's typical irradiance that the ambient term adds on every surface."""
_BLOCK_PX = 32
"""Fixed because Mitsuba seeds every block and otherwise chooses the block size by the number of threads."""
_NEAR_CLIP_M = 0.05


@dataclass(frozen=True)
class Buffers:
    """One rendered room; H x W pixels, camera axes x right, y up, z towards the viewer."""

    rgb_HWC: np.ndarray
    """Linear radiance, float32."""
    depth_HW: np.ndarray
    """Distance along the viewing ray, metres."""
    forward_HW: np.ndarray
    """Cosine between viewing ray and optical axis: planar depth is depth times this."""
    normal_HWC: np.ndarray
    """Unit normals in camera axes."""
    albedo_HW: np.ndarray
    """Mean reflectance of the three channels."""
    part_HW: np.ndarray
    """Index of the visible part in the room's parts."""


def render(room: Room, size_px: tuple[int, int], samples: int, seed: int) -> Buffers:
    """Render `room` at (height, width) with `samples` light paths per pixel, a square number.

    The same arguments give the same bytes.
    """
    if mitsuba.variant() != "scalar_rgb":
        mitsuba.set_variant("scalar_rgb")
    drjit.set_thread_count(1)
    scene = _load(room, seed)
    paths = {"type": "path", "max_depth": 3, "rr_depth": 99, "block_size": _BLOCK_PX}
    colour_HWC = _pixels(scene, paths, _sensor(room, size_px, samples, jitter=True), seed)
    # Four times as slow per ray as `path`, hence only one ray per pixel.
    aovs = "depth:depth,normal:sh_normal,albedo:albedo,part:shape_index"
    geometry = {"type": "aov", "aovs": aovs, "block_size": _BLOCK_PX}
    planes_HWC = _pixels(scene, geometry, _sensor(room, size_px, 1, jitter=False), 0)
    return _buffers(room, scene, colour_HWC, planes_HWC, size_px)


def _pixels(scene: Any, integrator: dict[str, Any], sensor: dict[str, Any], seed: int) -> np.ndarray:
    image = mitsuba.load_dict(integrator).render(scene, sensor=mitsuba.load_dict(sensor), seed=seed % 2**31)
    return np.array(image, dtype=np.float32)


def _buffers(
    room: Room, scene: Any, colour_HWC: np.ndarray, planes_HWC: np.ndarray, size_px: tuple[int, int]
) -> Buffers:
    albedo_HWC = planes_HWC[..., 4:7]
    right, up, back = camera_axes(room)
    normal_HWC = planes_HWC[..., 1:4] @ np.stack([right, up, back], axis=1).astype(np.float32)
    numbers = np.array([int(shape.id()[4:]) for shape in scene.shapes()])
    # Mitsuba counts shapes from one; zero means no shape.
    part_HW = numbers[np.rint(planes_HWC[..., 7]).astype(int) - 1]
    rays_HWC = viewing_rays(room, size_px)
    forward_HW = -rays_HWC[..., 2]
    # Mitsuba measures depth from the near clipping plane.
    depth_HW = planes_HWC[..., 0] + _NEAR_CLIP_M / forward_HW
    facing = np.sign(np.sum(normal_HWC * -rays_HWC, axis=-1, keepdims=True))
    normal_HWC = normal_HWC * np.where(facing == 0, 1, facing)
    length = np.linalg.norm(normal_HWC, axis=-1, keepdims=True)
    normal_HWC = normal_HWC / np.maximum(length, 1e-6)
    smooth = np.array([part.material.finish != "mirror" and part.material.radiance is None for part in room.parts])
    light_HWC = denoise(colour_HWC[..., :3], albedo_HWC, normal_HWC, part_HW, smooth[part_HW])
    mean = float(np.median(light_HWC)) / max(float(np.median(albedo_HWC)), 1e-3)
    rgb_HWC = light_HWC + AMBIENT * mean * albedo_HWC
    return Buffers(rgb_HWC, depth_HW, forward_HW, normal_HWC, albedo_HWC.mean(-1), part_HW)


def camera_axes(room: Room) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The camera's unit vectors right, up and backwards, in the room's axes."""
    back = np.array(room.eye) - np.array(room.target)
    back = back / np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right = right / np.linalg.norm(right)
    return right, np.cross(back, right), back


def viewing_rays(room: Room, size_px: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) unit vectors through the pixel centres, camera axes."""
    height, width = size_px
    focal = focal_px(room, size_px)
    x = (np.arange(width) + 0.5 - width / 2) / focal
    y = (height / 2 - np.arange(height) - 0.5) / focal
    rays = np.stack([*np.meshgrid(x, y), -np.ones(size_px)], axis=-1)
    result: np.ndarray = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)
    return result


def focal_px(room: Room, size_px: tuple[int, int]) -> float:
    """Focal length in pixels; the field of view is that of the smaller side."""
    return float(min(size_px) / 2 / np.tan(np.radians(room.fov_deg) / 2))


def _sensor(room: Room, size_px: tuple[int, int], samples: int, *, jitter: bool) -> dict[str, Any]:
    film = {
        "type": "hdrfilm", "height": size_px[0], "width": size_px[1], "pixel_format": "rgb",
        "component_format": "float32", "rfilter": {"type": "box"},
    }  # fmt: skip
    drawn = {"type": "stratified", "sample_count": samples, "jitter": jitter}
    look = mitsuba.ScalarTransform4f().look_at(origin=list(room.eye), target=list(room.target), up=[0, 0, 1])
    return {
        "type": "perspective", "fov": room.fov_deg, "fov_axis": "smaller", "to_world": look, "near_clip": _NEAR_CLIP_M,
        "far_clip": 50.0, "film": film, "sampler": drawn,
    }  # fmt: skip


def _load(room: Room, seed: int) -> Any:
    """The scene with one shape per part, named `part<number>`; equal meshes are not merged, because labels differ."""
    scene: dict[str, Any] = {"type": "scene"}
    surfaces: dict[int, Any] = {}
    rng = np.random.default_rng([seed, 1])
    for number, part in enumerate(room.parts):
        if id(part.material) not in surfaces:
            surfaces[id(part.material)] = mitsuba.load_dict(_surface(part.material, rng))
        scene[f"part{number}"] = _shape(part, surfaces[id(part.material)])
    return mitsuba.load_dict(scene, parallel=False, optimize=False)


def _shape(part: Part, surface: Any) -> Any:
    if part.shape == "cushion":
        return _cushion(part, surface)
    shape = {"type": part.shape, "to_world": mitsuba.ScalarTransform4f(part.matrix), "bsdf": surface}
    if part.material.radiance is not None:
        value = {"type": "rgb", "value": list(part.material.radiance)}
        shape["emitter"] = {"type": "area", "radiance": value}
    return shape


def _cushion(part: Part, surface: Any) -> Any:
    """The unit ball of the 3-norm under the part's transform, as a mesh with smooth normals."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, 13), np.linspace(0, 2 * np.pi, 21), indexing="ij")
    uv = np.stack([around / np.pi, polar / np.pi], axis=-1).reshape(-1, 2)
    directions = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1
    ).reshape(-1, 3)
    points = directions / np.linalg.norm(directions, ord=3, axis=1, keepdims=True)
    normals = np.sign(points) * points**2 @ np.linalg.inv(part.matrix[:3, :3])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = points @ part.matrix[:3, :3].T + part.matrix[:3, 3]
    corner = (np.arange(12)[:, None] * 21 + np.arange(20)[None]).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 21, corner + 22], 1), np.stack([corner, corner + 22, corner + 1], 1)]
    )
    given = mitsuba.Properties()
    given["mesh_bsdf"] = surface
    mesh = mitsuba.Mesh("", len(points), len(faces), props=given, has_vertex_normals=True, has_vertex_texcoords=True)
    parameters = mitsuba.traverse(mesh)
    parameters["vertex_positions"] = points.astype(np.float32).ravel()
    parameters["vertex_normals"] = normals.astype(np.float32).ravel()
    parameters["vertex_texcoords"] = uv.astype(np.float32).ravel()
    parameters["faces"] = faces.astype(np.uint32).ravel()
    parameters.update()
    return mesh


def _surface(material: Material, rng: np.random.Generator) -> dict[str, Any]:
    if material.finish == "mirror":
        return {"type": "conductor", "material": "none"}
    colour: dict[str, Any] = {"type": "rgb", "value": list(material.colour)}
    if material.pattern != "plain":
        scale = mitsuba.ScalarTransform4f().scale([*material.repeat, 1.0])
        bitmap = mitsuba.Bitmap(pattern_rgb(material, rng))
        colour = {"type": "bitmap", "bitmap": bitmap, "raw": True, "to_uv": scale}
    if material.finish == "glossy":
        return {"type": "principled", "base_color": colour, "roughness": 0.3, "specular": 0.6}
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": colour}}
