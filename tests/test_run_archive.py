"""Unpacking an untrusted archive writes below its folder or nothing, and the error names the member."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import random
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cenbench.errors import UserError
from cenbench.run.archive import unpack

CONTENT = {"rgb/000.png": b"\x89PNG" + bytes(range(256)) * 40, "labels/a/b.txt": b"7\n", "empty": b""}
OUTSIDE = ("../evil", "a/../../evil", "/tmp/evil", "//evil", "..", "C:\\evil", "C:/evil", "a\\..\\..\\evil", "a\nb", "")


def make_tar(path: Path, members: dict[str, bytes], types: dict[str, bytes] | None = None, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as packed:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.mode = (types or {}).get(name, tarfile.REGTYPE), 0o4777
            info.uid = info.gid = 12345
            if info.isreg():
                info.size = len(data)
            else:
                info.linkname = data.decode()
            packed.addfile(info, io.BytesIO(data))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(archive: Path, tmp_path: Path, **limits: int) -> UserError:
    """The error; nothing is there afterwards, inside the folder or beside it."""
    (tmp_path / "below").mkdir(exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        unpack(archive, tmp_path / "below" / "raw", **limits)
    assert caught.value.where == archive
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil").exists()
    return caught.value


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_an_ordinary_archive_is_unpacked_completely(tmp_path: Path, mode: str) -> None:
    archive = make_tar(tmp_path / "raw.archive", CONTENT, mode=mode)
    folder = unpack(archive, tmp_path / "raw")
    assert contents(folder) == CONTENT
    assert not any(path.stat().st_mode & 0o7133 for path in folder.rglob("*") if path.is_file()), "0644, not 4777"
    assert {path.stat().st_uid for path in folder.rglob("*")} == {os.getuid()}
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    archive.unlink()
    assert unpack(archive, folder) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times, "an existing folder is left alone"


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(make_tar(tmp_path / "raw", {"good": b"1", name: b"evil"}), tmp_path)
    assert repr(name) in error.problem
    assert "leads outside" in str(error.found)


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    """Its header may declare far fewer bytes than are written."""
    with tarfile.open(tmp_path / "raw.tar", "w", format=tarfile.PAX_FORMAT) as packed:
        info = tarfile.TarInfo("holes")
        info.size = 512
        info.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": "1", "GNU.sparse.name": "holes"}
        packed.addfile(info, io.BytesIO(b"x" * 512))
    assert "header" in str(refusal(tmp_path / "raw.tar", tmp_path).found)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device or pipe"),
        (tarfile.BLKTYPE, "a device or pipe"),
        (tarfile.FIFOTYPE, "a device or pipe"),
    ],
)
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes, found: str) -> None:
    """Also one that points inside: the next member could be written through it."""
    for target in ("..", "/etc/passwd", "good"):
        archive = make_tar(tmp_path / "raw.tgz", {"good": b"1", "way": target.encode(), "way/x": b"2"}, {"way": kind})
        error = refusal(archive, tmp_path)
        assert "'way'" in error.problem
        assert error.found == found
        archive.unlink()


def test_limits_on_bytes_and_members_hold(tmp_path: Path) -> None:
    bomb = make_tar(tmp_path / "raw", {"small": b"1", "bomb": bytes(50_000_000)})
    assert bomb.stat().st_size < 100_000
    assert "'bomb'" in refusal(bomb, tmp_path, limit_bytes=1_000_000).problem
    many = make_tar(tmp_path / "many", {str(number): b"" for number in range(20)})
    assert "'7'" in refusal(many, tmp_path, limit_files=7).problem
    assert len(contents(unpack(many, tmp_path / "enough", limit_files=20))) == 20


def test_a_repeated_name_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "raw.tar"
    for first, second in (("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "./a")):
        with tarfile.open(archive, "w") as packed:
            for name in (first, second):
                packed.addfile(tarfile.TarInfo(name))
        error = refusal(archive, tmp_path)
        assert repr(second).strip("'./") in error.problem
        assert error.expected == "each name once"


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    whole = make_tar(tmp_path / "raw", {"noise": os.urandom(100_000)}).read_bytes()
    cut, flipped = whole[: len(whole) // 2], bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for data in (cut, bytes(flipped), b"", b"<html>404</html>"):
        (tmp_path / "raw").write_bytes(data)
        assert "cannot be unpacked" in refusal(tmp_path / "raw", tmp_path).problem
    with zipfile.ZipFile(tmp_path / "raw", "w") as packed:
        packed.writestr("a", b"1")
    assert refusal(tmp_path / "raw", tmp_path).expected == "a complete tar archive"
    (tmp_path / "raw").unlink()
    assert "No such file" in str(refusal(tmp_path / "raw", tmp_path).found)


def damage(tar: bytes, how: str) -> bytes:
    """`tar` has three members of one block; each takes two blocks with its header."""
    third = 4 * tarfile.BLOCKSIZE
    if how == "a bit of a header":
        return tar[: third + 10] + bytes([tar[third + 10] ^ 1]) + tar[third + 11 :]
    if how == "a header without its first byte":
        return tar[:third] + b"\0" + tar[third + 1 :]
    places = {"cut after a member": third, "cut inside a header": third + 200, "cut inside the end": third + 1600}
    return tar[: places[how]] if how in places else tar + b"hello"


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(
    "how",
    [
        *("a bit of a header", "a header without its first byte", "cut after a member", "cut inside a header"),
        *("cut inside the end", "more after the end"),
    ],
)
def test_an_archive_whose_listing_ends_early_is_refused(
    tmp_path: Path, how: str, compress: Callable[[bytes], bytes]
) -> None:
    """tarfile ends there without an error, as if the members before were all."""
    members = {name: name.encode() for name in ("a", "b", "c")}
    whole = make_tar(tmp_path / "raw", members, mode="w").read_bytes()
    (tmp_path / "raw").write_bytes(compress(damage(whole, how)))
    assert refusal(tmp_path / "raw", tmp_path).problem == "raw cannot be unpacked"


def test_an_archive_may_end_with_any_number_of_zeros(tmp_path: Path) -> None:
    """POSIX asks for two blocks; tar fills the last record, and some programs write nothing more."""
    whole = make_tar(tmp_path / "raw.tar", {"a": b"1"}, mode="w").read_bytes()
    for number, size in enumerate((2048, len(whole), len(whole) + 3_000_000)):
        (tmp_path / "raw.tar").write_bytes(whole.ljust(size, b"\0")[:size])
        assert contents(unpack(tmp_path / "raw.tar", tmp_path / str(number))) == {"a": b"1"}


def test_a_full_disk_leaves_nothing_and_the_same_call_succeeds_later(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "raw.tgz", {"a": b"1", "big": os.urandom(200_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UserError, match="no room to unpack") as caught:
            unpack(archive, tmp_path / "raw")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.found == os.strerror(errno.EFBIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw.tgz"]
    assert len(contents(unpack(archive, tmp_path / "raw"))) == 2


def test_leftovers_of_a_killed_unpacking_are_removed(tmp_path: Path) -> None:
    half = tmp_path / "raw.unpacking"
    half.mkdir()
    (half / "old").write_bytes(b"half")
    folder = unpack(make_tar(tmp_path / "raw.tgz", CONTENT), tmp_path / "raw")
    assert contents(folder) == CONTENT
    assert not half.exists()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_any_flipped_byte_gives_an_error_or_files_inside(tmp_path: Path, mode: str) -> None:
    whole = make_tar(tmp_path / "whole", CONTENT, mode=mode).read_bytes()
    draw = random.Random(4)
    for number in range(300):
        data = bytearray(whole)
        data[draw.randrange(len(data)) if number % 2 else -draw.randrange(1, min(600, len(data)))] ^= (
            1 << draw.randrange(8)
        )
        (tmp_path / "raw").write_bytes(data)
        try:
            unpack(tmp_path / "raw", tmp_path / "inside" / str(number), limit_bytes=10**6)
        except UserError as error:
            assert error.where == tmp_path / "raw"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "raw", "whole"]


def test_a_python_without_the_data_filter_says_which_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12 ships 3.11.2; everything else of cenbench works there."""
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(UserError, match=r"3\.11\.4 or newer"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
