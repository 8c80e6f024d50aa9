"""A damaged MATLAB v5 file is refused before SciPy reads it: SciPy would end the process, or fill the memory."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from cenbench.data.official import nyudv2_mat, sunrgbd_toolbox
from cenbench.data.official.mat5 import check_mat5
from cenbench.errors import UserError

SPLIT = {"trainNdxs": np.array([[5], [12], [3]], np.uint16), "testNdxs": np.array([[1], [2]], np.uint16)}
BYTES = (*range(21), 128, 240, 252, 255)
"""Values that are data types, array classes, or large lengths."""


def saved(variables: dict[str, Any], compressed: bool = False) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def metadata() -> np.ndarray:
    """Structs with texts, numbers, complex ones, an empty array, cells in cells and structs in structs."""
    box = np.array(
        [(np.eye(3), "chair", np.zeros((0, 3)))], dtype=[(name, object) for name in ("basis", "classname", "none")]
    )
    cells = np.array([1, "x", np.array([2.5 + 1j]), np.array([[1, "y"]], object)], object)
    frames = np.empty((1, 2), [(name, object) for name in ("rgbpath", "depthpath", "box", "cells")])
    for number in range(2):
        frames[0, number] = (f"/n/fs/sun3d/data/a/image/{number}.jpg", "/n/fs/sun3d/data/é", box, cells)
    return frames


FILES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "split": ({"other": np.ones(3), **SPLIT}, ("trainNdxs", "testNdxs")),
    "metadata": ({"SUNRGBDMeta": metadata()}, ("SUNRGBDMeta",)),
    "paths": ({"alltrain": np.array([["/n/a", "/n/b"]], object)}, ("alltrain",)),
}


def loaded(content: bytes, names: tuple[str, ...]) -> None:
    """Check, then read as the readers do. ValueError from the check; SciPy may raise what it likes, but not crash."""
    check_mat5(content, names, 2**26)
    try:
        scipy.io.loadmat(io.BytesIO(content), variable_names=list(names), squeeze_me=True, struct_as_record=False)
    except Exception as error:
        print(f"SciPy: {error!r}")


def change(content: bytes, numbers: random.Random) -> bytes:
    """A few changed bytes; of a compressed file mostly inside its first variable."""
    if content[128] == 15 and numbers.random() < 0.8:
        length = struct.unpack("<I", content[132:136])[0]
        inside = bytearray(zlib.decompress(content[136 : 136 + length]))
        _overwrite(inside, 0, numbers)
        packed = zlib.compress(bytes(inside))
        return content[:128] + struct.pack("<II", 15, len(packed)) + packed + content[136 + length :]
    changed = bytearray(content)
    _overwrite(changed, 120, numbers)
    return bytes(changed)


def _overwrite(content: bytearray, start: int, numbers: random.Random) -> None:
    for _ in range(numbers.choice((1, 1, 2, 3, 5))):
        content[numbers.randrange(start, len(content))] = numbers.choice((*BYTES, numbers.randrange(256)))


def fuzz(seed: int, times: int) -> None:
    """Read damaged files; to be called in a process of its own. Prints how many passed the check and did not."""
    numbers = random.Random(seed)
    files = [
        (saved(variables, compressed), names) for variables, names in FILES.values() for compressed in (False, True)
    ]
    passed = 0
    for turn in range(times):
        content, names = files[turn % len(files)]
        try:
            loaded(change(content, numbers), names)
            passed += 1
        except ValueError:
            pass
    print(f"passed {passed}, refused {times - passed}")


def test_no_change_of_a_file_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from test_data_mat5 import fuzz; fuzz(0, 600)"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    counts = done.stdout.splitlines()[-1].replace(",", "").split()
    assert int(counts[1]) > 50, "harmless changes are let through"
    assert int(counts[3]) > 50


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_whole_files_pass(name: str, compressed: bool) -> None:
    variables, names = FILES[name]
    content = saved(variables, compressed)
    check_mat5(content, names, 2**20)
    for length in range(200, len(content), 7):
        with pytest.raises(ValueError, match=r"."):
            check_mat5(content[:length] + b"\xff" * 4, names, 2**20)


def test_big_endian_files_pass() -> None:
    tag = struct.Struct(">II").pack
    matrix = tag(6, 8) + tag(11, 0) + tag(5, 8) + tag(3, 1) + tag(1, 9) + b"trainNdxs" + bytes(7)
    matrix += tag(4, 6) + struct.pack(">HHH", 5, 12, 3) + bytes(2)
    content = b"MATLAB".ljust(116) + bytes(8) + b"\x01\x00MI" + tag(14, len(matrix)) + matrix
    check_mat5(content, ["trainNdxs"], 2**20)
    assert scipy.io.loadmat(io.BytesIO(content))["trainNdxs"].ravel().tolist() == [5, 12, 3]


def at(*changes: tuple[int, int]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        damaged = bytearray(content)
        for place, value in changes:
            damaged[place] = value
        return bytes(damaged)

    return changed


DAMAGE = {
    "an unknown data type": at((265, 240)),
    "another": at((265, 240), (215, 252)),
    "zeros": lambda _: saved({name: np.zeros((2**23 + 1, 1)) for name in SPLIT}, compressed=True),
    "blanks": lambda content: content[:128] + blanks(),
    "cells in cells": lambda content: content[:128] + nested(),
}


def blanks() -> bytes:
    """A text of 2**30 characters, none of which is stored."""
    tag = struct.Struct("<II").pack
    matrix = tag(6, 8) + tag(4, 0) + tag(5, 8) + tag(1, 2**30) + tag(1, 8) + b"testNdxs" + tag(16, 0)
    return tag(14, len(matrix)) + matrix


def nested() -> bytes:
    """A hundred thousand cells, each inside another: SciPy would run out of stack."""
    tag = struct.Struct("<II").pack
    header = tag(6, 8) + tag(1, 0) + tag(5, 8) + tag(1, 1)
    times = 100_000
    name, unnamed = tag(1, 8) + b"testNdxs", tag(1, 0)
    size = len(header) + len(unnamed) + 8  # of one level
    levels = [tag(14, (times - level - 1) * size) + header + unnamed for level in range(times - 1)]
    matrix = header + name + b"".join(levels) + tag(14, 0)
    return tag(14, len(matrix)) + matrix


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("reader", ["splits", "allsplit"])
def test_the_readers_refuse_it(tmp_path: Path, damage: str, reader: str) -> None:
    """In a process of its own: without the check, most of these end it."""
    (tmp_path / "splits.mat").write_bytes(DAMAGE[damage](saved(SPLIT)))
    done = subprocess.run(
        [sys.executable, "-c", f"from test_data_mat5 import refuse; refuse({str(tmp_path)!r}, {reader!r})"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def refuse(folder: str, reader: str) -> None:
    """Both readers, with what they would be given."""
    path = Path(folder) / "splits.mat"
    sunrgbd_toolbox._MOST_BYTES = nyudv2_mat._MOST_BYTES
    with pytest.raises(UserError, match=r"splits\.mat (cannot be read|is damaged)") as caught:
        if reader == "splits":
            nyudv2_mat._load(path, tuple(SPLIT))
        else:
            sunrgbd_toolbox._load(path, "testNdxs")
    assert caught.value.where == path
    assert caught.value.found != "'testNdxs'", "not for want of the variable"


def test_nothing_is_allocated_for_what_a_file_declares() -> None:
    """The end of the zeros is never reached: their number alone is enough."""
    tag = struct.Struct("<II").pack
    matrix = tag(6, 8) + tag(6, 0) + tag(5, 8) + tag(2**28, 1) + tag(1, 9) + b"trainNdxs" + bytes(7) + tag(9, 2**31)
    packed = zlib.compress(tag(14, len(matrix) + 2**31) + matrix)
    content = saved(SPLIT)[:128] + tag(15, len(packed)) + packed
    with pytest.raises(ValueError, match="more than 1,073,741,824 bytes of memory"):
        check_mat5(content, ["trainNdxs"], 2**30)
