"""Checks a MATLAB v5 file before SciPy reads it: SciPy looks data types up in a table without checking them, and
allocates what a file declares, so that one damaged byte can end the process or fill the memory.

Format: https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""
# changes no number: a file is refused, or left as it is

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_HEADER_BYTES = 128
_BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""Version 1.0 and the test of byte order, as they are stored."""
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED, _UTF8 = 1, 5, 6, 14, 15, 16
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Data type -> bytes of a value."""
_CELL, _STRUCT, _OBJECT, _CHAR, _OPAQUE = 1, 2, 3, 4, 17
_NUMBERS = range(6, 16)
"""Array classes from double to uint64."""
_IS_COMPLEX = 1 << 11
_TAG_BYTES, _MOST_DIMENSIONS, _MOST_DEPTH, _MOST_NAME_BYTES = 8, 32, 16, 4096
_ARRAY_BYTES, _STRUCT_BYTES, _CHAR_BYTES, _COMPLEX_TIMES = 128, 256, 8, 16
"""Memory that an array, a struct, a stored byte of text and one of a complex number take once read, roughly."""
_PIECE_BYTES = 1 << 16


def check_mat5(content: bytes, names: Collection[str], most_bytes: int) -> None:
    """Raise ValueError unless SciPy can read these variables of a file, in about `most_bytes` of memory.

    Everything in the named variables is checked, at any depth. Of other variables only the headers are, which SciPy
    reads as well.
    """
    order = _BYTE_ORDERS.get(content[_HEADER_BYTES - 4 : _HEADER_BYTES])
    if order is None or 0 in content[:4]:  # SciPy takes a file with a zero there for one of version 4
        raise ValueError("no header of a MATLAB v5 file")
    wanted, checker = {name.encode() for name in names}, _Checker(order, most_bytes)
    place = _HEADER_BYTES
    while place < len(content):
        kind, length = checker.full_tag(content[place : place + _TAG_BYTES])
        place += _TAG_BYTES
        if not 0 < length <= len(content) - place:
            raise ValueError(f"a variable of {length:,} bytes, of which the file has {len(content) - place:,}")
        stored = memoryview(content)[place : place + length]
        if kind == _COMPRESSED:
            checker.variable(_Bytes(_decompressed(stored)), wanted, None)
        elif kind == _MATRIX:
            checker.variable(_Bytes(iter((bytes(stored),))), wanted, length)
        else:
            raise ValueError(f"a variable of data type {kind}")
        place += length


def _decompressed(stored: memoryview) -> Iterator[bytes]:
    """The content in small pieces, whatever it would grow to; ValueError if it is damaged or incomplete."""
    stream = zlib.decompressobj()
    rest: bytes | memoryview = stored
    while not stream.eof:
        try:
            piece = stream.decompress(rest, _PIECE_BYTES)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        rest = stream.unconsumed_tail
        if piece:
            yield piece
        elif not stream.eof:
            raise ValueError("compressed data that ends early")


class _Bytes:
    """Bytes that are read once, from the start to the end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece, self._at = pieces, b"", 0
        self.place = 0
        """Number of bytes read."""

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError if there are fewer."""
        self.place += count
        if (end := self._at + count) <= len(self._piece):  # nearly always
            found = self._piece[self._at : end]
            self._at = end
            return found
        parts = []
        while count > len(self._piece) - self._at:
            parts.append(self._piece[self._at :])
            count -= len(parts[-1])
            self._next()
        parts.append(self._piece[self._at : self._at + count])
        self._at += count
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Read over bytes without keeping them; ValueError if there are fewer."""
        self.place += count
        while count > len(self._piece) - self._at:
            count -= len(self._piece) - self._at
            self._next()
        self._at += count

    def end(self) -> None:
        """ValueError if anything is left; reads to the checksum of compressed data."""
        if self._at < len(self._piece) or next(self._pieces, None) is not None:
            raise ValueError("bytes after the end of an array")

    def _next(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise ValueError("an array that ends early")
        self._piece, self._at = piece, 0


@dataclass(slots=True)
class _Array:
    """Header of an array."""

    kind: int
    is_complex: bool
    size: int
    name: bytes
    end: int
    """Where the array ends, in bytes read."""


class _Checker:
    """The elements of one file, and the memory that is left for them."""

    def __init__(self, order: str, most_bytes: int) -> None:
        self._tag = struct.Struct(f"{order}II")
        self._order = order
        self._most_bytes = self._left = most_bytes

    def full_tag(self, tag: bytes) -> tuple[int, int]:
        """(data type, bytes)."""
        if len(tag) < _TAG_BYTES:
            raise ValueError("bytes after the last variable")
        kind, length = self._tag.unpack(tag)
        return kind, length

    def variable(self, source: _Bytes, wanted: set[bytes], length: int | None) -> None:
        """A variable, to its end if it is wanted. Compressed ones have no `length` outside."""
        kind, inside = self.full_tag(source.take(_TAG_BYTES)) if length is None else (_MATRIX, length)
        if kind != _MATRIX:
            raise ValueError(f"a variable of data type {kind}")
        array = self._array(source, source.place + inside)
        if array.name in wanted:
            self._contents(source, array, 1)
            source.end()

    def _array(self, source: _Bytes, end: int) -> _Array:
        if self.full_tag(source.take(_TAG_BYTES)) != (_UINT32, 8):
            raise ValueError("an array without flags")
        flags, _ = self._tag.unpack(source.take(8))
        kind = flags & 0xFF
        if kind == _OPAQUE:  # has no dimensions
            return _Array(kind, False, 0, self._text(source, end), end)
        stored = self._small(source, (_INT32, _UINT32), 4 * _MOST_DIMENSIONS, end)
        dimensions = struct.unpack(f"{self._order}{len(stored) // 4}i", stored[: len(stored) // 4 * 4])
        if len(dimensions) < 2 or min(dimensions) < 0:
            raise ValueError(f"an array of shape {dimensions}")
        self._charge(_ARRAY_BYTES)
        return _Array(kind, bool(flags & _IS_COMPLEX), math.prod(dimensions), self._text(source, end), end)

    def _contents(self, source: _Bytes, array: _Array, depth: int) -> None:
        """Everything after an array's header, which must end where the array does."""
        if depth > _MOST_DEPTH:
            raise ValueError(f"arrays nested more than {_MOST_DEPTH} deep")
        if array.kind in _NUMBERS:
            for _ in range(2 if array.is_complex else 1):
                kind, length = self._data(source, array.end, _COMPLEX_TIMES if array.is_complex else 1)
                if length // _ITEM_BYTES[kind] != array.size:
                    raise ValueError(f"{length:,} bytes for {array.size:,} numbers")
        elif array.kind == _CHAR:
            _, length = self._data(source, array.end, _CHAR_BYTES)
            if length and array.size > length:
                raise ValueError(f"{length:,} bytes for {array.size:,} characters")
            self._charge(array.size * _CHAR_BYTES)  # text without bytes is read as blanks
        elif array.kind == _CELL:
            self._nested(source, array, array.size, depth)
        elif array.kind in (_STRUCT, _OBJECT):
            if array.kind == _OBJECT:
                self._text(source, array.end)
            self._charge(array.size * _STRUCT_BYTES)
            self._nested(source, array, array.size * self._fields(source, array.end), depth)
        else:
            raise ValueError(f"an array of class {array.kind}")
        if source.place != array.end:
            raise ValueError("an array that is shorter or longer than declared")

    def _nested(self, source: _Bytes, parent: _Array, count: int, depth: int) -> None:
        if count * _TAG_BYTES > parent.end - source.place:
            raise ValueError(f"{count:,} arrays in {parent.end - source.place:,} bytes")
        for _ in range(count):
            kind, length = self.full_tag(source.take(_TAG_BYTES))
            if kind != _MATRIX or length > parent.end - source.place:
                raise ValueError(f"an array of data type {kind} and {length:,} bytes inside another")
            if length:
                self._contents(source, self._array(source, source.place + length), depth + 1)
            else:
                self._charge(_ARRAY_BYTES)

    def _fields(self, source: _Bytes, end: int) -> int:
        """Number of fields of a struct."""
        stored = self._small(source, (_INT32, _UINT32), 4, end)
        name_bytes = struct.unpack(f"{self._order}i", stored)[0] if len(stored) == 4 else 0
        if not 0 < name_bytes <= _MOST_NAME_BYTES:
            raise ValueError(f"names of {name_bytes} bytes")
        return len(self._small(source, (_INT8, _UTF8), 1024 * _MOST_NAME_BYTES, end)) // int(name_bytes)

    def _text(self, source: _Bytes, end: int) -> bytes:
        return self._small(source, (_INT8, _UTF8), _MOST_NAME_BYTES, end)

    def _small(self, source: _Bytes, kinds: tuple[int, ...], most: int, end: int) -> bytes:
        """The bytes of an element of one of these data types."""
        kind, length, stored = self._element(source, end)
        if kind not in kinds or length > most:
            raise ValueError(f"{length:,} bytes of data type {kind} in a header")
        if stored is None:
            stored = source.take(length)
            source.skip(-length % 8)
        return stored

    def _data(self, source: _Bytes, end: int, times: int) -> tuple[int, int]:
        """(data type, bytes) of an element that is read over; each byte takes `times` as many in memory."""
        kind, length, stored = self._element(source, end)
        if kind not in _ITEM_BYTES:
            raise ValueError(f"data type {kind}")
        self._charge(length * times)
        if stored is None:
            source.skip(length + -length % 8)
        return kind, length

    def _element(self, source: _Bytes, end: int) -> tuple[int, int, bytes | None]:
        """(data type, bytes, the bytes if they are in the tag itself), after a check that it ends before `end`."""
        tag = source.take(_TAG_BYTES)
        kind, length = self._tag.unpack(tag)
        if small := kind >> 16:
            kind, length = kind & 0xFFFF, small
            if length > 4:
                raise ValueError(f"{length} bytes in a tag")
        rest = 0 if small else length + -length % 8
        if source.place + rest > end:
            raise ValueError(f"an element of {length:,} bytes that ends outside its array")
        return kind, length, tag[4 : 4 + length] if small else None

    def _charge(self, used: int) -> None:
        self._left -= used
        if self._left < 0:
            raise ValueError(f"it would take more than {self._most_bytes:,} bytes of memory")
