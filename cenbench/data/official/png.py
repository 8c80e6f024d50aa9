"""What Pillow does not check in a PNG: the checksum of every chunk, the bit depth in the header, the palette."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_png(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def check_chunks(data: bytes) -> None:
    """Raise ValueError for a PNG with a wrong checksum or no end. Pillow ignores the checksums of pixel data."""
    last = b""
    for kind, start, length in _chunks(data):
        if zlib.crc32(data[start - 4 : start + length]) != int.from_bytes(data[start + length : start + length + 4]):
            raise ValueError(f"wrong checksum of chunk {kind!r}")
        last = kind
    if last != b"IEND":
        raise ValueError("the end is missing")


def bits_per_channel(data: bytes) -> int:
    """1, 2, 4, 8 or 16, as the header has it (Pillow silently reduces 16-bit colour to 8 bits)."""
    return data[24]


def palette(data: bytes) -> bytes | None:
    """Colours of a palette image, three bytes per entry; None for another image. `data` may end after the palette."""
    for kind, start, length in _chunks(data):
        if kind == b"PLTE":
            return data[start : start + length]
        if kind == b"IDAT":
            break
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, first byte of the content, length) of every chunk up to the end of the image or of the data."""
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        yield kind, place + 8, length
        if kind == b"IEND":
            return
        place += 12 + length
