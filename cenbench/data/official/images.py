"""Read images of a raw folder strictly (an error names any that differs from its published format), and resize them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from cenbench.errors import UserError

_BITS = {"1": 1, "L": 8, "P": 8, "RGB": 8, "RGBA": 8, "I;16": 16, "I;16B": 16, "I": 16}
_PNG = b"\x89PNG\r\n\x1a\n"


def read_image(
    path: Path,
    *,
    channels: int | tuple[int, ...],
    bits: int | tuple[int, ...] = 8,
    size: tuple[int, int] | None = None,
    data: bytes | None = None,
) -> np.ndarray:
    """(H, W) or (H, W, 3) as stored, u8 or u16; a palette image gives its indices. PNG or JPEG.

    `size` is (height, width); `data` the file's bytes where they come out of an archive (`path` then only names them).
    `UserError`: missing, no image, truncated, another size, other channels, another depth.
    """
    allowed = (bits,) if isinstance(bits, int) else bits
    try:
        stored = path.read_bytes() if data is None else data
        with Image.open(io.BytesIO(stored)) as image:
            image.load()
            mode = image.mode
            array = np.asarray(image)
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is missing", where=path, fix="get the file again") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise _bad(path, "cannot be read: truncated, or not an image", str(error), "a whole PNG or JPEG") from error
    found_bits = _bit_depth(stored) or _BITS.get(mode, 0)
    if found_bits not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise _bad(path, "has an unexpected bit depth", f"{found_bits} bits ({mode})", f"{wanted} bits")
    found_channels = array.shape[2] if array.ndim == 3 else 1
    if found_channels not in (possible := (channels,) if isinstance(channels, int) else channels):
        expected = " or ".join(map(str, possible))
        raise _bad(path, "has an unexpected number of channels", f"{found_channels} ({mode})", expected)
    if size is not None and array.shape[:2] != size:
        raise _bad(path, "has an unexpected size", _wide(array.shape[:2]), _wide(size))
    return array.astype(np.uint16 if found_bits == 16 else np.uint8)


def resize_nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W[, C]) resized to `size` (height, width) without blending (labels, depth): the pixel at each centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp) for old, new in zip(array.shape[:2], size, strict=True)
    )
    result: np.ndarray = array[rows[:, None], columns]
    return result


def resize_bilinear(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W[, 3]) u8 or u16 resized to `size` (height, width): bilinear, with antialiasing when it shrinks.

    The filter is Pillow's, which torchvision's `Resize` applies to images in the released code
    (paper.md#translation-images).
    """
    if array.shape[:2] == size:
        return array
    whole = (size[1], size[0])
    if array.dtype == np.uint8:
        return np.asarray(Image.fromarray(array).resize(whole, Image.Resampling.BILINEAR))
    blended = np.asarray(Image.fromarray(array.astype(np.float32)).resize(whole, Image.Resampling.BILINEAR))
    rounded: np.ndarray = np.rint(blended).astype(array.dtype)
    return rounded


def check_labels(labels_HW: np.ndarray, classes: int, void: int, path: Path) -> None:
    """Raise `UserError` naming `path` if a label is neither a class (0 to `classes` - 1) nor void."""
    wrong = np.unique(labels_HW[(labels_HW >= classes) & (labels_HW != void)])
    if wrong.size:
        raise _bad(
            path, "has labels out of range", ", ".join(map(str, wrong[:8])), f"0 to {classes - 1}, or {void} (void)"
        )


def metres_to_units(depth_HW: np.ndarray, units_per_metre: float, path: Path) -> np.ndarray:
    """Depth in metres (0 = missing) -> u16 in 1/`units_per_metre` m; `UserError` if not finite, negative or too far."""
    if not np.isfinite(depth_HW).all():
        count = int((~np.isfinite(depth_HW)).sum())
        raise _bad(path, "has depth that is not a number", f"{count} pixels NaN or infinite", "metres, 0 if missing")
    units = np.rint(depth_HW.astype(np.float64) * units_per_metre)
    if units.min() < 0 or units.max() > 65535:
        raise _bad(
            path,
            "has depth out of range",
            f"{depth_HW.min():.3f} to {depth_HW.max():.3f} m",
            f"0 to {65535 / units_per_metre:.2f} m",
        )
    return units.astype(np.uint16)


def _bit_depth(stored: bytes) -> int | None:
    """Bits per channel in a PNG's header (Pillow silently reduces 16-bit colour to 8 bits); None for other formats."""
    return max(8, stored[24]) if stored.startswith(_PNG) else None


def _bad(path: Path, problem: str, found: str, expected: str) -> UserError:
    return UserError(
        f"{path.name} {problem}",
        where=path,
        found=found,
        expected=expected,
        fix="get the file again as published, then rerun the command: it resumes",
    )


def _wide(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]} pixels"
