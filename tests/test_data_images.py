"""Images give the numbers that the authors stored: equivalent encodings are read back, everything else is refused."""

from __future__ import annotations

import io
import random
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import official_nyudv2
import pytest
from PIL import Image, PngImagePlugin

from cenbench.data.official.images import MOST_PIXELS, read_image
from cenbench.data.official.nyudv2 import NYUDv2
from cenbench.data.official.png import check_pixels
from cenbench.errors import UserError

HEIGHT, WIDTH = 20, 30
LABELS = np.random.default_rng(1).choice([0, 3, 7, 26, 33], (HEIGHT, WIDTH)).astype(np.uint8)
DEPTH = np.random.default_rng(2).integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
RGB = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def png(kind: int, bits: int, rows: list[bytes], *chunks: tuple[bytes, bytes], size: tuple[int, int]) -> bytes:
    """A PNG written by hand: colour type, bit depth, packed rows, chunks before the pixels."""
    width, height = size
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    return png_of(*parts)


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks, with their checksums."""
    joined = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(joined)


def as_palette(grays: np.ndarray, order: list[int]) -> bytes:
    """What a lossless optimiser makes of a gray image: only its grays, in any order, and indices of them."""
    index = np.zeros(256, np.uint8)
    index[order] = np.arange(len(order))
    colours = bytes(gray for gray in order for _ in range(3))
    rows = [bytes(row) for row in index[grays]]
    return png(3, 8, rows, (b"PLTE", colours), size=grays.shape[::-1])


def read(data: bytes, **settings: object) -> np.ndarray:
    return read_image(Path("folder/image.png"), data=data, **{"channels": 1, **settings})  # type: ignore[arg-type]


def refusal(data: bytes, **settings: object) -> UserError:
    with pytest.raises(UserError) as caught:
        read(data, **settings)
    assert caught.value.where == Path("folder/image.png")
    return caught.value


@pytest.mark.parametrize("order", [[0, 3, 7, 26, 33], [33, 0, 26, 3, 7], [7, 33, 26, 3, 0, 200, 100]])
@pytest.mark.parametrize("indices", [False, True])
def test_a_palette_of_grays_gives_the_grays(order: list[int], indices: bool) -> None:
    np.testing.assert_array_equal(read(as_palette(LABELS, order), palette_indices=indices), LABELS)


def test_few_grays_in_few_bits_give_the_grays() -> None:
    for bits, step in ((1, 255), (2, 85), (4, 17)):
        codes = np.random.default_rng(bits).integers(0, 2**bits, (4, 8)).astype(np.uint8)
        shifts = [8 - bits - bits * place for place in range(8 // bits)]
        rows = [bytes((row.reshape(-1, len(shifts)) << shifts).sum(1).tolist()) for row in codes]
        np.testing.assert_array_equal(read(png(0, bits, rows, size=(8, 4))), codes * step)
        colours = bytes(value for code in range(2**bits) for value in [5 * code] * 3)
        np.testing.assert_array_equal(read(png(3, bits, rows, (b"PLTE", colours), size=(8, 4))), codes * 5)


def test_numbers_of_a_coloured_palette_are_values_only_where_they_are_defined_so() -> None:
    image = Image.fromarray(LABELS)
    image.putpalette([value for entry in range(256) for value in (entry, 255 - entry, 7)])
    np.testing.assert_array_equal(read(encoded(image), palette_indices=True), LABELS)
    assert "palette of colours" in refusal(encoded(image)).problem


def test_ordinary_images_are_read_exactly() -> None:
    for array, settings in ((LABELS, {}), (DEPTH, {"bits": 16}), (RGB, {"channels": 3})):
        for changes in ({}, {"optimize": True}, {"compress_level": 0}):
            found = read(encoded(Image.fromarray(array), **changes), size=(HEIGHT, WIDTH), **settings)
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)


def test_orientation_and_colour_profile_do_not_change_what_is_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    data = encoded(Image.fromarray(RGB), exif=exif, icc_profile=b"another colour space")
    np.testing.assert_array_equal(read(data, channels=3), RGB)


def test_lossy_and_other_formats_are_refused() -> None:
    image = Image.fromarray(LABELS)
    error = refusal(encoded(image, "JPEG", quality=100))
    assert (error.found, error.expected) == ("JPEG", "PNG")
    assert read(encoded(Image.fromarray(RGB), "JPEG"), channels=3, formats=("JPEG", "PNG")).shape == RGB.shape
    for kind in ("WEBP", "TIFF", "BMP", "GIF", "PPM", "EPS"):
        made = image.convert("RGB") if kind == "EPS" else image
        assert "not an image" in refusal(encoded(made, kind)).problem


def test_unexpected_channels_and_depths_are_refused_before_decoding() -> None:
    """The pixels of these files cannot be decoded at all, so an error about their header comes first."""
    broken = [b"\0" * 3]
    cases = [
        (png(0, 16, broken, size=(8, 4)), {}, "bit depth"),
        (png(0, 8, broken, size=(8, 4)), {"bits": 16}, "bit depth"),
        (png(2, 16, broken, size=(8, 4)), {"channels": 3}, "bit depth"),
        (png(2, 8, broken, size=(8, 4)), {}, "number of channels"),
        (png(6, 8, broken, size=(8, 4)), {"channels": 3}, "number of channels"),
        (png(4, 8, broken, size=(8, 4)), {}, "number of channels"),
        (png(3, 8, broken, (b"PLTE", bytes(9)), size=(8, 4)), {"channels": 3}, "number of channels"),
        (png(0, 8, broken, size=(8, 4)), {"size": (8, 4)}, "size"),
        (png(0, 8, broken, size=(8, 4)), {"size": (4, 8)}, "cannot be read"),
    ]
    for data, settings, problem in cases:
        assert problem in refusal(data, **settings).problem


def packed(rows: np.ndarray) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


def chunked(*parts: tuple[bytes, bytes], bits: int = 8, colour_type: int = 0, compression: int = 0) -> bytes:
    """A PNG of the size of `LABELS` with these chunks between its header and its end."""
    header = (b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour_type, compression, 0, 0))
    return png_of(header, *parts, (b"IEND", b""))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("array", "settings"), [(LABELS, {}), (DEPTH, {"bits": 16}), (RGB, {"channels": 3})])
def test_missing_pixel_data_is_not_read_as_zeros(interlaced: bool, array: np.ndarray, settings: dict[str, int]) -> None:
    """A whole zlib stream, with right checksums, that ends some bytes or rows too early. Pillow fills in zeros."""
    stored = array.astype(">u2") if array.dtype == np.uint16 else array
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    parts = [stored[y::down, x::across] for x, y, across, down in passes] if interlaced else [stored]
    rows = b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for part in parts for row in part)
    bits, colour_type = 8 * array.dtype.itemsize, 2 if array.ndim == 3 else 0
    header = (b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour_type, 0, 0, interlaced))
    whole = png_of(header, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    np.testing.assert_array_equal(read(whole, **settings), array)
    for missing in (1, 200, len(rows)):
        cut = png_of(header, (b"IDAT", zlib.compress(rows[:-missing])), (b"IEND", b""))
        assert f"{missing} of {len(rows)} bytes of pixel data are missing" in str(refusal(cut, **settings).found)


def test_pixel_data_beyond_the_image_is_not_decompressed() -> None:
    """One pixel, declared, and 50 MB of zeros after it in 50 kB: no more is unpacked than the check needs."""
    bomb = png_of(
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(50_000_000))),
        (b"IEND", b""),
    )
    tracemalloc.start()
    check_pixels(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_chunks_that_leave_open_what_is_stored_are_refused() -> None:
    palette = bytes(value for gray in (0, 3, 7, 26, 33) for value in [gray] * 3)
    pixels = (b"IDAT", packed(LABELS))
    twice = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 0, 0, 0, 0)
    for data, found in (
        (chunked((b"IHDR", twice), (b"IDAT", packed(DEPTH.astype(">u2")))), "two chunks b'IHDR'"),
        (chunked((b"PLTE", palette), (b"PLTE", palette[::-1]), pixels, colour_type=3), "two chunks b'PLTE'"),
        (chunked((b"ABCD", b""), pixels), "unknown chunk b'ABCD'"),
        (chunked(pixels, compression=1), "unknown way of storing pixels"),
        (png_of((b"CgBI", bytes(4)), (b"IEND", b"")), "the first chunk is b'CgBI'"),
    ):
        assert found in str(refusal(data).found)


@pytest.mark.parametrize(
    "extra",
    [(b"gAMA", struct.pack(">I", 22727)), (b"sRGB", b"\0"), (b"sBIT", b"\5"), (b"tRNS", b"\0\7"), (b"bKGD", b"\0\3"),
     (b"cHRM", bytes(32)), (b"iCCP", b"a\0\0" + zlib.compress(b"profile")), (b"tIME", bytes(7))],
)  # fmt: skip
def test_chunks_about_display_change_no_value(extra: tuple[bytes, bytes]) -> None:
    np.testing.assert_array_equal(read(chunked(extra, (b"IDAT", packed(LABELS)))), LABELS)


def test_a_jpeg_whose_rest_is_zeros_is_refused() -> None:
    """As after an unfinished download into a file of full size: zeros decode to gray without an error."""
    settings = {"channels": 3, "formats": ("JPEG", "PNG")}
    noise = np.random.default_rng(4).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for options in ({}, {"progressive": True}, {"exif": Image.Exif(), "comment": b"\xff\xd9"}):
        whole = encoded(Image.fromarray(noise), "JPEG", **options)
        read(whole, **settings)
        read(whole + b"padding", **settings)
        for length in (len(whole) - 2, len(whole) - 500, len(whole) // 2):
            assert "cannot be read" in refusal(whole[:length] + bytes(len(whole) - length), **settings).problem


def cut(jpeg: bytes, length: int) -> bytes:
    """The first bytes of a JPEG, with an end marker."""
    return jpeg[:length].rstrip(b"\xff") + b"\xff\xd9"


@pytest.mark.parametrize(
    "options",
    [{}, {"optimize": True}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_blocks": 3},
     {"progressive": True, "restart_marker_rows": 1}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_cut_short_is_refused_even_with_an_end_marker(mode: str, options: dict[str, object]) -> None:
    """libjpeg draws what is missing gray, and only warns. Cuts lie anywhere: within a block, or at a restart."""
    settings = {"channels": len(mode), "formats": ("JPEG",)}
    whole = encoded(Image.fromarray(RGB).resize((61, 47)).convert(mode), "JPEG", **options)
    read(whole, **settings)
    first, draw = whole.index(b"\xff\xda") + 20, random.Random(1)
    restarts = [first + match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", whole[first:])]
    assert bool(restarts) == any("restart" in option for option in options)
    anywhere = [draw.randrange(first, len(whole) - 4) for _ in range(20)]
    for length in (first, len(whole) - 4, *restarts[::5], *anywhere):
        assert "cannot be read" in refusal(cut(whole, length), **settings).problem


def test_a_progressive_jpeg_without_its_last_scan_is_refused() -> None:
    """It decodes, to blurred pixels."""
    whole = encoded(Image.fromarray(RGB), "JPEG", progressive=True)
    scans = whole.split(b"\xff\xda")
    assert len(scans) > 5
    for count in range(2, len(scans)):
        error = refusal(b"\xff\xda".join(scans[:count]) + b"\xff\xd9", channels=3, formats=("JPEG",))
        assert error.found == "scans are missing"


def test_a_jpeg_that_declares_more_rows_than_it_has_is_refused() -> None:
    whole = encoded(Image.fromarray(RGB), "JPEG")
    frame = whole.index(b"\xff\xc0") + 5
    longer = whole[:frame] + (HEIGHT * 4).to_bytes(2, "big") + whole[frame + 2 :]
    assert "pixels are missing" in str(refusal(longer, channels=3, formats=("JPEG",)).found)


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", "an empty file"), (b"  <!DOCTYPE html>", "an HTML or XML page"), (bytes(500), "zeros"),
     (b"version https://git-lfs.github.com/spec/v1", "git-lfs"), (b"II*\0", "a TIFF"), (b"RIFF....WEBPVP8 ", "a WebP"),
     (b"\x93NUMPY", "a NumPy array"), (b"\x89PNG\n\x1a\n", "transferred as text"), (b"iVBO", "begin with 69 56 42 4f")],
)  # fmt: skip
def test_a_file_that_is_no_image_is_described(data: bytes, found: str) -> None:
    assert found in str(refusal(data).found)


def test_an_animation_is_refused() -> None:
    frames = [Image.fromarray(LABELS + shift) for shift in range(2)]
    data = encoded(frames[0], save_all=True, append_images=frames[1:])
    assert "animation" in refusal(data).problem


@pytest.mark.parametrize("side", [2**13 + 1, 2**14, 2**20])
def test_a_decompression_bomb_is_refused_before_decoding(side: int) -> None:
    """Of a size that Pillow accepts, warns about, and refuses; few bytes of pixels, so that decoding would fail."""
    assert (2**13) ** 2 <= MOST_PIXELS < side**2
    assert "too large" in refusal(png(0, 8, [b"\0"], size=(side, side))).problem


def test_a_huge_text_in_the_header_is_refused() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "x" * 2_000_000, zip=True)
    assert "cannot be read" in refusal(encoded(Image.fromarray(LABELS), pnginfo=text)).problem


def test_any_changed_byte_of_a_png_is_noticed() -> None:
    draw = random.Random(5)
    for array, settings in ((LABELS, {}), (DEPTH, {"bits": 16})):
        whole = encoded(Image.fromarray(array))
        for _ in range(1500):
            data = bytearray(whole)
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            refusal(bytes(data), size=(HEIGHT, WIDTH), **settings)
        for length in draw.sample(range(len(whole)), 60):
            refusal(whole[:length], size=(HEIGHT, WIDTH), **settings)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(UserError, match="too large"):
        read_image(path, channels=1)


def test_masks_whose_palettes_were_renumbered_are_refused(tmp_path: Path) -> None:
    """An optimiser sorts the palette of each mask on its own: the indices are no labels any more."""
    official_nyudv2.write_folder(tmp_path)
    spec = official_nyudv2.SMALL
    assert len(NYUDv2().scan(tmp_path, spec).samples) == 10
    path = tmp_path / "masks/000003.png"
    image = Image.open(path)
    image.remap_palette([*range(255, -1, -1)]).save(path)
    with pytest.raises(UserError, match="1 of 10 masks have another palette") as caught:
        NYUDv2().scan(tmp_path, spec)
    assert "masks/000003.png" in str(caught.value.found)
    data = path.read_bytes()  # the palette may lie behind a long chunk
    long = struct.pack(">I", 9000) + b"tEXt" + b"a\0" + b"x" * 8998
    path.write_bytes(data[:33] + long + struct.pack(">I", zlib.crc32(long[4:])) + data[33:])
    with pytest.raises(UserError, match="1 of 10 masks have another palette"):
        NYUDv2().scan(tmp_path, spec)
    labels = official_nyudv2.semantic(3)[official_nyudv2.ROWS, official_nyudv2.COLUMNS]
    path.write_bytes(as_palette(labels, [255, *range(40)][::-1]))
    sample = next(sample for sample in NYUDv2().scan(tmp_path, spec).samples if sample.id == "000003")
    whole = spec.model_copy(update={"size_px": 468, "width_px": 625})
    np.testing.assert_array_equal(NYUDv2().read(tmp_path, whole, sample)["semantic"], labels)
