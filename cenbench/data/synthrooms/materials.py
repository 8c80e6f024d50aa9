"""Random materials and their procedural patterns. Everything is a pure function of the given random generator."""

from __future__ import annotations

import colorsys

import numpy as np

from cenbench.data.synthrooms.parts import Colour, Material, Pattern

PATTERN_PX = 64


def paint(rng: np.random.Generator) -> Material:
    """Wall paint or wallpaper: light and pale, sometimes patterned."""
    colour = hsv(rng.random(), rng.uniform(0.02, 0.3), rng.uniform(0.5, 0.92))
    pattern: Pattern = _one(rng, ("plain", "plain", "noise", "stripes", "spots"))
    repeat = float(rng.integers(3, 8))
    return Material(colour, pattern, _shifted(colour, rng.uniform(0.7, 0.9)), (repeat, repeat))


def flooring(rng: np.random.Generator) -> Material:
    """Wood planks, tiles or carpet."""
    pattern: Pattern = _one(rng, ("planks", "planks", "tiles", "noise"))
    if pattern == "planks":
        return _wooden(rng, "planks", (2.0, 2.0))
    colour = hsv(rng.random(), rng.uniform(0.05, 0.45), rng.uniform(0.25, 0.75))
    repeat = float(rng.integers(4, 9))
    return Material(colour, pattern, _shifted(colour, rng.uniform(0.45, 0.75)), (repeat, repeat))


def wood(rng: np.random.Generator) -> Material:
    """Furniture wood, coloured lacquer (18 in 100), or nearly black lacquer (12 in 100)."""
    kind = rng.random()
    if kind < 0.12:
        return Material((0.025, 0.022, 0.02), finish="glossy")
    if kind < 0.3:
        return Material(hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.4, 0.9)))
    return _wooden(rng, "wood", (1.0, 1.0))


def fabric(rng: np.random.Generator) -> Material:
    """Upholstery and bedding: saturated or grey, often patterned; one in eight is nearly black."""
    if rng.random() < 0.12:
        return Material((0.03, 0.03, 0.035), "noise", (0.015, 0.015, 0.02), (3.0, 3.0))
    colour = hsv(rng.random(), rng.uniform(0.1, 0.75), rng.uniform(0.25, 0.85))
    pattern: Pattern = _one(rng, ("plain", "noise", "stripes", "plaid", "spots"))
    repeat = float(rng.integers(1, 4))
    other = hsv(rng.random(), rng.uniform(0.0, 0.6), rng.uniform(0.2, 0.9))
    return Material(colour, pattern, other if pattern != "noise" else _shifted(colour, 0.6), (repeat, repeat))


def metal(rng: np.random.Generator) -> Material:
    """Metal of legs and poles, dark or bright."""
    value = rng.uniform(0.03, 0.6)
    return Material((value, value, value), finish="glossy")


def white(rng: np.random.Generator) -> Material:
    """Nearly white: ceilings, window frames, sheets."""
    return Material(hsv(rng.random(), 0.06, rng.uniform(0.75, 0.95)))


def cardboard(rng: np.random.Generator) -> Material:
    """Cardboard in a shade of brown."""
    tone = rng.uniform(0.55, 0.8)
    return Material(hsv(0.08, 0.45, tone), "noise", hsv(0.08, 0.5, tone * 0.85))


def plastic(rng: np.random.Generator) -> Material:
    """Plastic of small objects, in any colour."""
    return Material(hsv(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.9)))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Linear reflectance of a display colour."""
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return red**2.2, green**2.2, blue**2.2


def pattern_rgb(material: Material, rng: np.random.Generator) -> np.ndarray:
    """The pattern as linear reflectance, (64, 64, 3) float32, tileable if it repeats."""
    weight_HW = _PATTERNS[material.pattern](rng) if material.pattern != "painting" else None
    if weight_HW is None:
        return _painting(rng)
    first, second = np.array(material.colour), np.array(material.second)
    mixed: np.ndarray = first * (1 - weight_HW[..., None]) + second * weight_HW[..., None]
    return mixed.astype(np.float32)


def _wooden(rng: np.random.Generator, pattern: Pattern, repeat: tuple[float, float]) -> Material:
    colour = hsv(rng.uniform(0.05, 0.11), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.85))
    return Material(colour, pattern, _shifted(colour, rng.uniform(0.4, 0.7)), repeat)


def _one(rng: np.random.Generator, choices: tuple[Pattern, ...]) -> Pattern:
    return choices[int(rng.integers(len(choices)))]


def _shifted(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell_px: float) -> np.ndarray:
    """(H, W) in [0, 1]: random values on a lattice with spacing `cell_px`, interpolated linearly; wraps around."""
    rows, columns = (max(2, round(side / cell_px)) for side in shape)
    lattice = rng.random((rows, columns))
    y, x = (np.arange(side) * count / side for side, count in zip(shape, (rows, columns), strict=True))
    top, left = y.astype(int), x.astype(int)
    down, across = (y - top)[:, None], (x - left)[None, :]
    upper = lattice[top][:, left] * (1 - across) + lattice[top][:, (left + 1) % columns] * across
    low = (top + 1) % rows
    lower = lattice[low][:, left] * (1 - across) + lattice[low][:, (left + 1) % columns] * across
    result: np.ndarray = upper * (1 - down) + lower * down
    return result


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:PATTERN_PX, 0:PATTERN_PX] / PATTERN_PX
    return y, x


def _plain(rng: np.random.Generator) -> np.ndarray:
    return np.zeros((PATTERN_PX, PATTERN_PX))


def _noise(rng: np.random.Generator) -> np.ndarray:
    shape = (PATTERN_PX, PATTERN_PX)
    return 0.5 * smooth_noise(rng, shape, 3) + 0.5 * smooth_noise(rng, shape, 10)


def _wood(rng: np.random.Generator) -> np.ndarray:
    y, _ = _grid()
    bend = smooth_noise(rng, (PATTERN_PX, PATTERN_PX), 32)
    return 0.5 + 0.5 * np.sin(2 * np.pi * (6 * y + 1.5 * bend))


def _planks(rng: np.random.Generator) -> np.ndarray:
    y, x = _grid()
    plank = np.floor(y * 8).astype(int)
    tone = rng.random((8, 2))[plank, (np.floor(x * 2 + plank % 2 * 0.5).astype(int)) % 2]
    gap = (y * 8 % 1 < 0.08) | ((x * 2 + plank % 2 * 0.5) % 1 < 0.02)
    return np.where(gap, 1.0, 0.7 * tone)


def _tiles(rng: np.random.Generator) -> np.ndarray:
    y, x = _grid()
    chequered = (np.floor(y * 2) + np.floor(x * 2)) % 2 * rng.integers(2)
    gap = (y * 2 % 1 < 0.07) | (x * 2 % 1 < 0.07)
    return np.where(gap, 1.0, chequered * 0.8)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    _, x = _grid()
    return (np.sin(2 * np.pi * 4 * x) > rng.uniform(-0.5, 0.5)).astype(float)


def _plaid(rng: np.random.Generator) -> np.ndarray:
    y, x = _grid()
    return 0.5 * (np.sin(2 * np.pi * 3 * x) > 0.2) + 0.5 * (np.sin(2 * np.pi * 3 * y) > 0.2)


def _spots(rng: np.random.Generator) -> np.ndarray:
    y, x = _grid()
    radius = rng.uniform(0.2, 0.35)
    return (((y * 4 % 1 - 0.5) ** 2 + (x * 4 % 1 - 0.5) ** 2) < radius**2).astype(float)


def _painting(rng: np.random.Generator) -> np.ndarray:
    """A landscape of noise, usually with a few coloured rectangles."""
    y, _ = _grid()
    canvas = np.empty((PATTERN_PX, PATTERN_PX, 3), np.float32)
    hills = smooth_noise(rng, (PATTERN_PX, PATTERN_PX), 16)[:1] * 0.4 + 0.3
    canvas[:] = np.where((y < hills)[..., None], hsv(rng.random(), 0.4, 0.9), hsv(rng.random(), 0.6, 0.5))
    for _ in range(int(rng.integers(0, 5))):
        top, left = rng.integers(0, PATTERN_PX, 2)
        canvas[top : top + int(rng.integers(6, 28)), left : left + int(rng.integers(6, 28))] = hsv(
            rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.95)
        )
    return canvas


_PATTERNS = {
    "plain": _plain, "noise": _noise, "wood": _wood, "planks": _planks, "tiles": _tiles, "stripes": _stripes,
    "plaid": _plaid, "spots": _spots,
}  # fmt: skip
