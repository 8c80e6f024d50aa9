"""The only reader of files written by torch.save: tensors and plain values, never arbitrary objects."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor
from torch.serialization import safe_globals

from cenbench.errors import UserError, out_of_memory
from cenbench.tensor_archive import WRITTEN_BY_TORCH, check_archive

_SHOWN = 200


class _Unread:
    """An empty object in place of one whose type is ignored."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
"""Types of weights."""
COUNTS = (*FLOATS, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
"""Types of a batch norm's counter of batches, which is not used."""


def load_checked_tensors(
    file: IO[bytes], where: Path, *, ignored: Sequence[str] = (), expected: str = WRITTEN_BY_TORCH
) -> Any:
    """`load_tensors` for a file from elsewhere: whole by the checksums of its archive, every number stored in it.

    Raises `UserError` also for a file that is damaged, compressed, holds a nested tensor (which has no shape), or a
    tensor of more numbers than it stores (an expanded view: looking at its values would take memory that the size of
    the file does not announce).
    """
    check_archive(file, where, expected)
    file.seek(0)
    content = load_tensors(file, where, ignored=ignored)
    for name, tensor in _tensors(content):
        if tensor.is_nested:
            raise UserError(
                "a nested tensor in a file of weights", where=where, key=_printable(name), expected="plain tensors"
            )
        if (needed := tensor.numel() * tensor.element_size()) > (stored := _stored_bytes(tensor)):
            raise UserError(
                "this tensor has more numbers than the file stores",
                where=where,
                key=_printable(name),
                found=f"shape {tuple(tensor.shape)}, {needed:,} bytes, of which {stored:,} are stored",
                fix="where the file was made, save tensor.contiguous(); then use the new file",
            )
    return content


def load_tensors(file: IO[bytes], where: Path, *, ignored: Sequence[str] = ()) -> Any:
    """The content of `file`, on the CPU. `where` is its path, for messages. Objects of `ignored` types come out empty.

    Raises `UserError` for a file that is truncated or of another kind, and for one with objects of other types: reading
    them could run arbitrary code, so the error names the type.
    """
    try:
        with safe_globals([(_Unread, name) for name in ignored]):
            return torch.load(file, map_location="cpu", weights_only=True)
    # The bytes may be anything, so the reader may raise any exception.
    except Exception as error:
        if isinstance(error, OSError) or out_of_memory(error):
            raise  # not the file's fault
        raise _unreadable(error, where) from None


def _tensors(content: object) -> Iterator[tuple[str, Tensor]]:
    """Dotted name and value of every tensor in dicts and lists; each of these is entered once, so cycles end."""
    waiting, seen = [("", content)], set[int]()
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            inner = value.items() if isinstance(value, Mapping) else enumerate(value)
            # Names are cut: those of dicts nested a million deep would take more time than the file announces.
            start = f"{name}." if name else ""
            waiting += [((start + key_text(key))[: _SHOWN + 1], item) for key, item in inner]


def key_text(key: object) -> str:
    """The key of a dict as part of a name. Keys from elsewhere may be numbers too long to print, or structures."""
    return key if isinstance(key, str) else reprlib.repr(key)


def not_plain(tensor: Tensor) -> str | None:
    """What a tensor of `load_checked_tensors` is instead of a plain block of numbers in memory; None if it is one."""
    if tensor.is_quantized:
        return "quantised"
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return f"{tensor.layout}, on device {tensor.device.type}"
    return None


def _stored_bytes(tensor: Tensor) -> int:
    """Bytes that the file stores for the tensor; all that it takes where it is not one block of numbers."""
    if tensor.layout != torch.strided or tensor.is_meta:
        return tensor.numel() * tensor.element_size()
    return tensor.untyped_storage().nbytes()


def _unreadable(error: Exception, where: Path) -> UserError:
    """torch's error as a `UserError`, without its advice to load the file unsafely."""
    message = str(error)
    if offending := re.search(r"(?:GLOBAL|instantiate class|class) (\w\S*\w)", message):
        return UserError(
            "not a file of weights alone: reading its other objects could run arbitrary code",
            where=where,
            found=f"the type {_printable(offending[1])}",
            expected="tensors, numbers, strings, and lists and dicts of them",
            fix="where the file was made, run torch.save(model.state_dict(), NEW_FILE); then use NEW_FILE",
        )
    detail = re.search(r"WeightsUnpickler error:\s*(.+)", message) or re.search(r"(.+)", message)
    name = type(error).__name__
    return UserError(
        "not a complete file of weights written by torch.save: truncated, damaged, or another kind of file",
        where=where,
        found=_printable(f"{name}: {detail[1]}" if detail else name),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
