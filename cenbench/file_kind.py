"""What the first bytes of a file say it is, in words, for the message about a file of another kind than expected."""
# changes no number: how a mistake is reported

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
    (b"\x08\x07\x12\x07pytorch", "an ONNX network"),
    (b"\x08\x06\x12\x07pytorch", "an ONNX network"),
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


def kind_of(data: bytes) -> str:
    """What a file is whose first bytes (512 are enough) are `data`, in words."""
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
    if data[257:262] == b"ustar":
        return "a tar archive"
    return f"bytes that begin with {data[:8].hex(' ')}"
