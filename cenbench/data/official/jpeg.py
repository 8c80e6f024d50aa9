"""What Pillow does not check in a JPEG: its end."""

from __future__ import annotations

_STANDALONE = range(0xD0, 0xD8)
"""Markers of restarts, in the middle of compressed data."""


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
