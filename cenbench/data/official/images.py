"""Read images of a raw folder strictly (an error names any that differs from its published format), and resize them."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from cenbench.data.official.jpeg import check_complete, with_other_ends
from cenbench.data.official.png import check_chunks, check_pixels, is_png, read_header
from cenbench.data.reading import GET_AGAIN, read_bytes
from cenbench.errors import UserError
from cenbench.file_kind import kind_of

MOST_PIXELS = 2**26
"""More than any image of these datasets has; a compressed image of more could fill the memory (decompression bomb)."""
_CHANNELS = {"1": 1, "L": 1, "P": 1, "I": 1, "I;16": 1, "I;16B": 1, "LA": 2, "PA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
"""Pillow's mode -> channels that are stored."""
_DAMAGED = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


def read_image(
    path: Path,
    *,
    channels: int | tuple[int, ...],
    bits: int | tuple[int, ...] = 8,
    size: tuple[int, int] | None = None,
    data: bytes | None = None,
    formats: tuple[str, ...] = ("PNG",),
    palette_indices: bool = False,
) -> np.ndarray:
    """(H, W) or (H, W, 3), u8 or u16: exactly the numbers that the dataset's authors stored.

    `size` is (height, width); `data` the file's bytes if they come from an archive (`path` then only names them).
    Lossless optimisers may store a gray image with a palette of grays, or with fewer bits: it gives its grays again.
    Indices of a coloured palette are values only where the dataset defines them so (`palette_indices`). Orientation
    tags and colour profiles are not applied, as in the authors' own tools.

    Raises `UserError` for a file that is missing, cannot be read, is damaged, or has another format, size, number of
    channels or bit depth; all but damaged pixels are found before decoding.
    """
    stored = read_bytes(path) if data is None else data
    try:
        if is_png(stored):
            check_chunks(stored)
        with _opened(stored) as image:
            _check_header(path, image, stored, _tuple(channels), _tuple(bits), size, formats)
            if is_png(stored):
                check_pixels(stored)
            image.load()
            array = _values(path, image, palette_indices)
            if not is_png(stored):
                _check_jpeg(stored, array)
            bits_found = _bits(image, stored)
    except Image.DecompressionBombError as error:
        raise _bad(path, "is too large to decode", str(error), f"at most {MOST_PIXELS:,} pixels") from error
    except _DAMAGED as error:
        found = kind_of(stored) if isinstance(error, UnidentifiedImageError) else str(error)
        raise _bad(path, "cannot be read: truncated, or not an image", found, "a complete PNG or JPEG") from error
    return array.astype(np.uint16 if bits_found == 16 else np.uint8)


@contextmanager
def _opened(stored: bytes) -> Iterator[Image.Image]:
    """The image with its header read; other formats than PNG and JPEG are not even tried."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `_check_header` has a lower limit
        with Image.open(io.BytesIO(stored), formats=("PNG", "JPEG")) as image:
            yield image


def _check_header(
    path: Path,
    image: Image.Image,
    stored: bytes,
    channels: tuple[int, ...],
    bits: tuple[int, ...],
    size: tuple[int, int] | None,
    formats: tuple[str, ...],
) -> None:
    """Everything that is known before pixels are decoded."""
    found = "PNG" if image.format == "PNG" else "JPEG"
    if found not in formats:
        raise _bad(path, "has another format than published", found, _or(formats))
    if size is not None and image.size != (size[1], size[0]):
        raise _bad(path, "has an unexpected size", _wide(image.size[::-1]), _wide(size))
    if image.width * image.height > MOST_PIXELS:
        raise _bad(path, "is too large to decode", _wide(image.size[::-1]), f"at most {MOST_PIXELS:,} pixels")
    if getattr(image, "n_frames", 1) > 1 and image.format == "PNG":
        raise _bad(path, "is an animation", f"{getattr(image, 'n_frames', 1)} frames", "one image")
    if (depth := _bits(image, stored)) not in bits:
        raise _bad(path, "has an unexpected bit depth", f"{depth} bits ({image.mode})", f"{_or(bits)} bits")
    if (count := _CHANNELS.get(image.mode, 0)) not in channels:
        raise _bad(path, "has an unexpected number of channels", f"{count} ({image.mode})", _or(channels))


def _check_jpeg(stored: bytes, array: np.ndarray) -> None:
    """Raise ValueError if pixels are missing from a JPEG that was decoded to `array`."""
    end = check_complete(stored)
    for other in with_other_ends(stored, end):
        with _opened(other) as image:
            if not np.array_equal(np.asarray(image), array):
                raise ValueError("pixels are missing before the end")


def _bits(image: Image.Image, stored: bytes) -> int:
    """Bits per channel of the decoded values: fewer than 8 are expanded to 8."""
    return max(8, read_header(stored).bits) if image.format == "PNG" else 8


def _values(path: Path, image: Image.Image, palette_indices: bool) -> np.ndarray:
    """Decoded values; a palette of grays stands for its grays."""
    if image.mode == "1":
        return np.asarray(image.convert("L"))  # one bit stands for 0 and 255
    array = np.asarray(image)
    if image.mode != "P":
        return array
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if int(array.max(initial=0)) >= len(palette):
        raise ValueError("a pixel's index is beyond the palette")
    if (palette == palette[:, :1]).all():
        grays: np.ndarray = palette[:, 0][array]
        return grays
    if not palette_indices:
        raise _bad(path, "has a palette of colours", f"{len(palette)} colours; which numbers they stand for is unknown",
                   "gray levels")  # fmt: skip
    return array


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


def _bad(path: Path, problem: str, found: str, expected: str) -> UserError:
    return UserError(f"{path.name} {problem}", where=path, found=found, expected=expected, fix=GET_AGAIN)


def _wide(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]} pixels"


def _tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else value


def _or(values: tuple[int, ...] | tuple[str, ...]) -> str:
    return " or ".join(map(str, values))
