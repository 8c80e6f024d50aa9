"""The weights inside a file of weights: plain, or under the wrappers and prefixes that training scripts add.

DataParallel and torch.compile prefix every name (`module.`, `_orig_mod.`); training scripts nest the weights under
`state_dict`, `model` or `net`, often beside an optimiser, an epoch, and a moving average of the weights
(`ema`, `model_ema`, `state_dict_ema`). Everything is read as tensors and plain values; nothing is executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from cenbench.errors import UserError
from cenbench.matrix.validation import short_repr
from cenbench.tensor_archive import WRITTEN_BY_TORCH
from cenbench.tensor_file import key_text, load_checked_tensors

_DEEPEST = 6
"""Levels of wrappers."""
_MOST_ENTRIES = 100_000
"""Far more than weights, their averages and an optimiser's state have. A dict that several others share counts at each
place, an empty one too: a small file can hold more places than can be looked at.
"""
_LONGEST_NAME = 1000
_MOST_SETS = 100
_PASSED_OVER = (
    *("argparse.Namespace", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype"),
    *("numpy.dtypes.Float32DType", "numpy.dtypes.Float64DType"),
)
"""Types that training scripts save beside the weights, for their options and scores: ignored, not refused."""


@dataclass(frozen=True)
class StateDict:
    """One set of weights in a file."""

    prefix: str
    """What all its names begin with in the file, wrappers included: `state_dict.module.`; empty for a plain file."""
    weights: Mapping[str, object]
    """Name without the prefix -> tensor, or what stands in its place."""
    others: int
    """Number of entries of the file that are not below the prefix."""
    nested: bool = False
    """Whether the file holds them in dicts of dicts, by parts of their names."""

    @property
    def key(self) -> str:
        """The prefix as it is given on the command line."""
        return self.prefix.removesuffix(".")


def read_state_dicts(source: Path, anchors: tuple[str, ...]) -> list[StateDict]:
    """Every set of weights in the file that has all the names `anchors`, by prefix; may be empty.

    Raises `UserError` for a file that holds more than tensors and plain values, is truncated, holds no names, holds a
    dict inside itself, or more entries than any file of weights.
    """
    content = _read(source)
    entries = _entries(content, source)
    prefixes = sorted(name.removesuffix(anchors[0]) for name in entries if name.endswith(anchors[0]))
    found: list[StateDict] = []
    for prefix in prefixes:
        if (prefix and not prefix.endswith(".")) or not all(prefix + anchor in entries for anchor in anchors):
            continue
        if len(found) == _MOST_SETS:
            raise UserError("too many sets of weights", where=source, expected=f"at most {_MOST_SETS}")
        weights = {name[len(prefix) :]: value for name, value in entries.items() if name.startswith(prefix)}
        nested = any(prefix + name not in content for name in weights)
        found.append(StateDict(prefix, weights, len(entries) - len(weights), nested))
    return found


def read_entries(source: Path) -> dict[str, object]:
    """Dotted name -> tensor or plain value of everything in the file, wrappers included."""
    return _entries(_read(source), source)


def _read(source: Path) -> Mapping[object, object]:
    content = _read_safetensors(source) if is_safetensors(source) else _read_torch(source)
    if not isinstance(content, Mapping):
        found = type(content).__name__
        raise UserError("not a state dict", where=source, found=found, expected="a dict of names and tensors")
    return content


def _entries(content: Mapping[object, object], source: Path) -> dict[str, object]:
    entries: dict[str, object] = {}
    for places, (name, value) in enumerate(_flat(content, "", (content,), source), start=1):
        if places > _MOST_ENTRIES:
            expected = f"at most {_MOST_ENTRIES:,}, those in dicts of dicts included"
            raise UserError("too many entries for a file of weights", where=source, expected=expected)
        if isinstance(value, _Wrapper):
            continue
        if name in entries:
            raise UserError("two entries of this file have one name", where=source, key=name)
        entries[name] = value
    return entries


def is_safetensors(source: Path) -> bool:
    """Whether the file begins as safetensors do: the length of a JSON object, then the object."""
    with source.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") < source.stat().st_size


def names_in(entries: Mapping[str, object], shown: int = 8) -> str:
    """The first level of names, with what is below each: for messages."""
    counts: dict[str, int] = {}
    for name in entries:
        counts[name.partition(".")[0]] = counts.get(name.partition(".")[0], 0) + 1
    parts = [f"{name} ({count} entries)" if count > 1 else name for name, count in counts.items()]
    return ", ".join(parts[:shown]) + (f" and {len(parts) - shown} more" if len(parts) > shown else "")


def _read_torch(source: Path) -> object:
    with source.open("rb") as file:
        content: object = load_checked_tensors(
            file, source, ignored=_PASSED_OVER, expected=f"{WRITTEN_BY_TORCH}, or safetensors"
        )
    return content


def _read_safetensors(source: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(source)
    except (SafetensorError, ValueError, KeyError) as error:
        problem = "not a complete file of safetensors: truncated or damaged"
        raise UserError(problem, where=source, found=str(error).partition("\n")[0]) from None
    return tensors


class _Wrapper:
    """Stands for a dict that is entered."""


def _flat(
    content: Mapping[object, object], prefix: str, within: tuple[Mapping[object, object], ...], source: Path
) -> Iterator[tuple[str, object]]:
    """Dotted name and value of every entry, and a `_Wrapper` for every dict. `within`: the dicts around, and this."""
    for key, value in content.items():
        name = prefix + key_text(key)
        if len(name) > _LONGEST_NAME:
            expected = f"at most {_LONGEST_NAME:,} characters"
            raise UserError(
                "a name in this file is too long", where=source, found=f"{len(name):,} characters", expected=expected
            )
        if any(value is outer for outer in within):
            raise UserError("a dict of this file holds itself", where=source, key=short_repr(name))
        if isinstance(value, Mapping) and len(within) <= _DEEPEST:
            yield name, _Wrapper()
            yield from _flat(value, f"{name}.", (*within, value), source)
        else:
            yield name, value
