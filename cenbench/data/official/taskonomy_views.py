"""Finds the views and domains in a raw folder of Taskonomy, in either layout."""

from __future__ import annotations

import re
from pathlib import Path

from cenbench.data.reading import files_below
from cenbench.errors import UserError

REQUIRED = ("rgb", "normal", "reshading", "depth_euclidean", "depth_zbuffer", "edge_occlusion", "edge_texture")
"""Domains that the tasks of the tables read."""
OPTIONAL = ("principal_curvature", "segment_unsup2d", "segment_unsup25d")
"""The other domains of the released code's ten; stored if every view has them."""
_FILE = re.compile(r"point_(\d+)_view_(\d+)_domain_(\w+)\.png")
_COMPONENT = "taskonomy"
"""Folder between domain and building in Omnidata's downloads."""

Views = dict[str, dict[str, str]]
"""View -> domain -> path relative to the raw folder. A view is `point_P_view_V`, prefixed by `building/` if known."""


def find_views(raw: Path) -> Views:
    """Every image of the ten domains. Raises `UserError` for none, and for two images of one view and domain."""
    views: Views = {}
    for path in files_below(raw):
        *parts, name = path.split("/")
        match = _FILE.fullmatch(name)
        # A mask has the name of the image it masks, so the folder's name must be the domain's too.
        if match is None or match[3] not in parts or match[3] not in REQUIRED + OPTIONAL:
            continue
        view = view_name(tuple(parts), match[1], match[2], match[3])
        if not view.isprintable():
            raise UserError(
                "a folder's name cannot be part of the name of a view", where=raw, found=ascii(path),
                expected="UTF-8 without control characters", fix="rename the folder",
            )  # fmt: skip
        if other := views.setdefault(view, {}).get(match[3]):
            raise UserError(
                "two copies of Taskonomy lie side by side",
                where=raw,
                found=f"{other} and {path}",
                fix="keep one: move the other away, or name a folder with only one of them with --raw",
            )
        views[view][match[3]] = path
    if not views:
        raise UserError(
            "this folder holds no views of Taskonomy",
            where=raw,
            found=", ".join(sorted(path.name for path in raw.iterdir())[:10]),
            expected="rgb/point_0_view_0_domain_rgb.png and so on, or rgb/taskonomy/BUILDING/point_...",
        )
    return dict(sorted(views.items()))


def view_name(folders: tuple[str, ...], point: str, view: str, domain: str) -> str:
    """`building/point_P_view_V`, without `building/` if no folder names one."""
    building = [folder for folder in folders if folder not in (domain, _COMPONENT)]
    return "/".join([*building, f"point_{point}_view_{view}"])


def building_of(view: str) -> str:
    """Folder of the building; empty for the sample download, which is one building."""
    return view.rpartition("/")[0]


def point_of(view: str) -> str:
    """The point of a view: all views of a point look at the same thing."""
    return view.rpartition("_view_")[0]


def lacks(domains: dict[str, str]) -> list[str]:
    """Required domains in which a view does not exist."""
    return [domain for domain in REQUIRED if domain not in domains]
