"""What Pillow does not check in a JPEG: that nothing is missing. libjpeg draws missing blocks gray, with a warning.

Whether a scan ends too early only a decoder can tell. Here that is libjpeg itself: other bits after the last ones of a
whole image are never decoded, those after a truncated one become other pixels (`with_other_ends`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

_START, _END, _SCAN, _RESTART_INTERVAL = 0xD8, 0xD9, 0xDA, 0xDD
_RESTARTS = range(0xD0, 0xD8)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_COEFFICIENTS = 64
_OTHER_BYTES = 4096


@dataclass
class _Frame:
    """What the header of the image declares."""

    height: int
    width: int
    sampling: dict[int, tuple[int, int]]
    """Component -> sampling factors, horizontal and vertical."""
    is_progressive: bool
    missing: set[tuple[int, int]] = field(default_factory=set)
    """(component, coefficient) pairs that no scan has given in full yet."""

    @classmethod
    def read(cls, marker: int, segment: bytes) -> _Frame:
        """Read the content of the segment; IndexError if it is too short."""
        parts = range(6, 6 + 3 * segment[5], 3)
        sampling = {segment[part]: (segment[part + 1] >> 4, segment[part + 1] & 15) for part in parts}
        height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
        if not height or not width or not sampling or not all(all(factors) for factors in sampling.values()):
            raise ValueError("no size, or no components")
        missing = {(part, coefficient) for part in sampling for coefficient in range(_COEFFICIENTS)}
        return cls(height, width, sampling, marker in _PROGRESSIVE, missing)

    def scan(self, segment: bytes) -> int:
        """Take in a scan's header. The number of its units (MCUs), between which restarts lie."""
        count = segment[0]
        parts = [segment[1 + 2 * index] for index in range(count)]
        if not parts or not set(parts) <= self.sampling.keys():
            raise ValueError("a scan of no, or of an unknown component")
        first, last, precision = segment[1 + 2 * count : 4 + 2 * count]
        if not self.is_progressive:
            first, last, precision = 0, _COEFFICIENTS - 1, 0
        if not precision & 15:
            self.missing -= {(part, coefficient) for part in parts for coefficient in range(first, last + 1)}
        across, down = (max(factors[axis] for factors in self.sampling.values()) for axis in (0, 1))
        units_across, units_down = 1, 1
        if len(parts) == 1:  # such a scan has a unit per block of its component
            units_across, units_down = self.sampling[parts[0]]
        return -(-self.width * units_across // (8 * across)) * -(-self.height * units_down // (8 * down))


def check_complete(data: bytes) -> int:
    """Raise ValueError for a JPEG without its end, or without scans or restarts that its header calls for.

    Returns the place of its end. What is missing within a scan is not noticed: see `with_other_ends`.
    """
    frame: _Frame | None = None
    interval, expected, found = 0, 0, 0
    for marker, start, end in _markers(data):
        if marker in _RESTARTS:
            found += 1
        elif marker in _FRAMES:
            frame = _Frame.read(marker, data[start:end])
        elif marker == _RESTART_INTERVAL:
            interval = int.from_bytes(data[start:end])
        elif marker == _SCAN and frame:
            units = frame.scan(data[start:end])
            expected += -(-units // interval) - 1 if interval else 0
        elif marker == _END:
            if frame is None or frame.missing:
                raise ValueError("scans are missing")
            if found < expected:
                raise ValueError(f"{expected - found} of {expected} restarts are missing")
            return start - 2
    raise ValueError("the end is missing")


def with_other_ends(data: bytes, end: int) -> Iterator[bytes]:
    """The JPEG with other bits before its end, which is at `end`. All decode to the same pixels if none are missing."""
    for seed in range(2):
        bits = random.Random(seed).randbytes(_OTHER_BYTES).replace(b"\xff", b"")  # no markers
        yield data[:end] + bits + data[end:]


def _markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, first byte of its content, byte after that) up to the end of the image, without compressed data."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        marker = data[place + 1]
        if marker == 0xFF:  # fill bytes may precede a marker
            place += 1
        elif marker in (0x00, 0x01) or marker in _RESTARTS or marker == _END:
            if marker > 0x01:
                yield marker, place + 2, place + 2
            if marker == _END:
                return
            place += 2
        else:
            length = int.from_bytes(data[place + 2 : place + 4])
            yield marker, place + 4, place + 2 + length
            place += 2 + length
