"""The one place that reads what torch.save wrote: tensors and plain values. No object of anybody's making is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import torch
from torch.serialization import safe_globals

from cenbench.errors import UserError, out_of_memory

_SHOWN = 200


class _Unread:
    """Takes the place of a type that is let pass: made, so that reading goes on, and empty."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def load_tensors(file: IO[bytes], where: Path, *, passed_over: Sequence[str] = ()) -> Any:
    """What `file` (of the path `where`, for messages) holds, on the CPU. Types named in `passed_over` come out empty.

    Raises `UserError` for bytes that are no such file or cut short, and for a file that holds any other type, which it
    names: to read that one would be to run code of whoever made it.
    """
    try:
        with safe_globals([(_Unread, name) for name in passed_over]):
            return torch.load(file, map_location="cpu", weights_only=True)
    # The bytes are anybody's: what the reader stumbles over, and with which exception, cannot be known.
    except Exception as error:
        if isinstance(error, OSError) or out_of_memory(error):
            raise  # says nothing against the file
        raise _unreadable(error, where) from None


def _unreadable(error: Exception, where: Path) -> UserError:
    """What torch's refusal means for a person; its advice to load the file without caution is left out."""
    said = str(error)
    if offending := re.search(r"(?:GLOBAL|instantiate class|class) (\w\S*\w)", said):
        return UserError(
            "not a file of weights alone: to read what else it holds would be to run code of whoever made it",
            where=where,
            found=f"the type {_printable(offending[1])}",
            expected="tensors, numbers, text, and lists and dicts of them",
            fix="where it was made: torch.save(model.state_dict(), NEW_FILE); then use that",
        )
    detail = re.search(r"WeightsUnpickler error:\s*(.+)", said) or re.search(r"(.+)", said)
    name = type(error).__name__
    return UserError(
        "not a file of weights, whole, as torch.save writes them: cut short, damaged, or another kind of file",
        where=where,
        found=_printable(f"{name}: {detail[1]}" if detail else name),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
