"""What a file that should be an image begins with, in words; and whether a JPEG has an end."""

from __future__ import annotations

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a pointer of git-lfs; git lfs pull gets the file itself"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"II+\0", "a TIFF"),
    (b"MM\0+", "a TIFF"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"qoif", "a QOI image"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"%PDF", "a PDF"),
    (b"P5", "a PGM"),
    (b"P6", "a PPM"),
    (b"Pf", "a PFM"),
    (b"PF", "a PFM"),
    (b"\x89PNG\n\x1a\n", "a PNG whose line ends were converted (transferred as text)"),
    (b"\x89PNG\r\r\n", "a PNG whose line ends were converted (transferred as text)"),
    (b"\xef\xbf\xbdPNG", "a PNG that was decoded as text"),
)
_STANDALONE = range(0xD0, 0xD8)
"""Markers of restarts, in the middle of compressed data."""


def kind_of(data: bytes) -> str:
    """What the bytes of a file that is no readable PNG or JPEG are, in words."""
    if not data:
        return "an empty file"
    for beginning, name in _BEGINNINGS:
        if data.startswith(beginning):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WebP"
    if data[4:12] in (b"ftypavif", b"ftypheic", b"ftypmif1"):
        return "an AVIF or HEIF image"
    if data[:512].lstrip()[:1] == b"<":
        return "an HTML or XML page, perhaps of a failed download"
    if not any(data[:4096]):
        return "zeros, perhaps of an unfinished download"
    return f"bytes that begin with {data[:8].hex(' ')}"


def check_jpeg_end(data: bytes) -> None:
    """Raise ValueError for a JPEG without its end marker, such as a download whose rest is zeros: those decode too."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        marker = data[place + 1]
        if marker == 0xD9:
            return
        if marker in (0x00, 0x01, 0xFF) or marker in _STANDALONE:
            place += 1 if marker == 0xFF else 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4])
    raise ValueError("the end is missing")
