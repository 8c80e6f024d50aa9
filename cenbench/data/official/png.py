"""What Pillow does not check in a PNG: checksums, the order of chunks, the bit depth, the palette, missing pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
"""Chunks without which the pixels cannot be known; a reader must not skip one of another name."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> values per pixel."""
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced image: first column and row, steps to the next ones."""
_LONGEST_PALETTE = 3 * 256
_INFLATED = 2**20
"""Bytes that are decompressed at once."""


class Header(NamedTuple):
    """The fields of IHDR."""

    width: int
    height: int
    bits: int
    colour_type: int
    compression: int
    filtering: int
    interlaced: int


def is_png(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def check_chunks(data: bytes) -> None:
    """Raise ValueError for a PNG with a wrong checksum, no end, or chunks that leave open which pixels it stores.

    Pillow ignores the checksums of pixel data, takes the last of several headers or palettes, and skips what it does
    not know.
    """
    found: list[bytes] = []
    for kind, start, length in _chunks(data):
        if zlib.crc32(data[start - 4 : start + length]) != int.from_bytes(data[start + length : start + length + 4]):
            raise ValueError(f"wrong checksum of chunk {kind!r}")
        if not found and (kind, length) != (b"IHDR", 13):
            raise ValueError(f"the first chunk is {kind!r}, not a header")
        if kind in (b"IHDR", b"PLTE") and kind in found:
            raise ValueError(f"two chunks {kind!r}")
        if kind[:1].isupper() and kind not in _CRITICAL:
            raise ValueError(f"unknown chunk {kind!r}, which a reader must not skip")
        found.append(kind)
    if found[-1:] != [b"IEND"]:
        raise ValueError("the end is missing")
    header = read_header(data)
    if header.compression or header.filtering or header.interlaced > 1 or header.colour_type not in _SAMPLES:
        raise ValueError(f"unknown way of storing pixels: {header}")


def read_header(data: bytes) -> Header:
    """Of a PNG whose chunks have been checked."""
    return Header(*struct.unpack_from(">IIBBBBB", data, 16))


def check_pixels(data: bytes) -> None:
    """Raise ValueError if there is less pixel data than the header declares; Pillow fills the rest with zeros.

    Only for a PNG whose chunks and size have been checked.
    """
    expected, found = _pixel_bytes(read_header(data)), 0
    inflate = zlib.decompressobj()
    for kind, start, length in _chunks(data):
        waiting = data[start : start + length] if kind == b"IDAT" else b""
        while waiting and found < expected:
            found += len(inflate.decompress(waiting, _INFLATED))
            waiting = inflate.unconsumed_tail
    if found < expected:  # flush() decompresses all that waits, without a limit
        found += len(inflate.flush())
    if found < expected:
        raise ValueError(f"{expected - found} of {expected} bytes of pixel data are missing")


def _pixel_bytes(header: Header) -> int:
    """Bytes of all rows, each with its filter, before compression."""
    passes = _PASSES if header.interlaced else ((0, 0, 1, 1),)
    total = 0
    for column, row, across, down in passes:
        width, height = -(-(header.width - column) // across), -(-(header.height - row) // down)
        if width > 0 and height > 0:
            total += height * (1 + -(-width * header.bits * _SAMPLES[header.colour_type] // 8))
    return total


def read_palette(file: IO[bytes]) -> bytes | None:
    """Colours of a palette image, three bytes per entry, wherever its chunk lies; None for another image."""
    file.seek(len(SIGNATURE))
    while len(start := file.read(8)) == 8:
        length, kind = int.from_bytes(start[:4]), start[4:]
        if kind == b"PLTE":
            return file.read(min(length, _LONGEST_PALETTE))
        if kind in (b"IDAT", b"IEND"):
            break
        file.seek(length + 4, 1)
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
