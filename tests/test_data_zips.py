"""Zips that cannot be read: damage is named with its file, an unknown packing is none, sizes are limited."""

from __future__ import annotations

import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest

from cenbench.data.official import sunrgbd
from cenbench.data.official.raw_files import RawFiles
from cenbench.errors import UserError

NAME = "top/x.bin"
METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def write(folder: Path, method: int, name: str = NAME) -> bytearray:
    """Write `a.zip` with one member, and return its bytes."""
    with zipfile.ZipFile(folder / "a.zip", "w", method) as archive:
        archive.writestr(name, random.Random(0).randbytes(3000) + bytes(3000))
    return bytearray((folder / "a.zip").read_bytes())


@pytest.mark.parametrize("operation", ["read", "unpacked"])
@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_member_is_named(tmp_path: Path, method: str, operation: str) -> None:
    data = write(tmp_path, METHODS[method])
    for place in range(60, 90):
        data[place] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UserError, match=rf"a\.zip is damaged or truncated: its member {NAME} cannot be read") as caught:
        getattr(RawFiles(tmp_path, ["a.zip"]), operation)(NAME)
    assert "get it again" in str(caught.value.fix)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.zip"], "nothing is half unpacked"


def method_9(data: bytearray) -> bytes:
    return bytes(data).replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x09\0")


def password(data: bytearray) -> bytes:
    return bytes(data).replace(b"\x14\0\0\0\x08\0", b"\x14\0\x01\0\x08\0")


@pytest.mark.parametrize("operation", ["read", "unpacked"])
@pytest.mark.parametrize(("change", "found"), [(method_9, "compression method"), (password, "password")])
def test_a_packing_that_python_does_not_have_is_not_called_damage(
    tmp_path: Path, change: object, found: str, operation: str
) -> None:
    assert callable(change)
    (tmp_path / "a.zip").write_bytes(change(write(tmp_path, zipfile.ZIP_DEFLATED)))
    with pytest.raises(UserError, match=rf"a\.zip is packed in a way that Python cannot read: {NAME}") as caught:
        getattr(RawFiles(tmp_path, ["a.zip"]), operation)(NAME)
    assert found in str(caught.value.found)
    assert str(caught.value.fix).startswith(f"unpack it yourself in {tmp_path}")


def test_a_member_whose_name_is_not_text_is_damage(tmp_path: Path) -> None:
    data = write(tmp_path, zipfile.ZIP_DEFLATED, "top/é.bin")
    (tmp_path / "a.zip").write_bytes(bytes(data).replace("é".encode(), b"\xff\xff"))
    with pytest.raises(UserError, match=r"a\.zip is damaged or truncated") as caught:
        RawFiles(tmp_path, ["a.zip"])
    assert caught.value.where == tmp_path / "a.zip"


@pytest.mark.parametrize("operation", ["read", "unpacked"])
def test_a_nonsense_offset_of_the_directory_is_damage(tmp_path: Path, operation: str) -> None:
    """Members then lie before the start of the file, which the file system answers with EINVAL."""
    data = write(tmp_path, zipfile.ZIP_DEFLATED)
    end = data.rfind(b"PK\5\6")
    data[end + 16 : end + 20] = b"\0\0\0\x80"
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.zip is damaged or truncated"):
        getattr(RawFiles(tmp_path, ["a.zip"]), operation)(NAME)


def test_two_members_of_one_name_are_refused_unless_they_are_the_same(tmp_path: Path) -> None:
    for second, refused in ((b"first", False), (b"other", True)):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(NAME, b"first")
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(NAME, second)
        if refused:
            with pytest.raises(UserError, match=r"a\.zip holds several files of one name") as caught:
                RawFiles(tmp_path, ["a.zip"])
            assert (caught.value.where, caught.value.found) == (tmp_path / "a.zip", NAME)
        else:
            assert RawFiles(tmp_path, ["a.zip"]).read(NAME) == b"first"


def test_damage_anywhere_in_a_zip_is_a_user_error(tmp_path: Path) -> None:
    """A few hundred random changes of up to three bytes; only `UserError` may leave."""
    numbers = random.Random(0)
    for method in METHODS.values():
        whole = write(tmp_path, method)
        with zipfile.ZipFile(tmp_path / "a.zip", "a", method) as archive:
            archive.writestr("top/é.bin", b"abc" * 50)
        whole = bytearray((tmp_path / "a.zip").read_bytes())
        ends = [*range(60), *range(len(whole) - 300, len(whole))]
        for _ in range(100):
            data = bytearray(whole)
            for _ in range(numbers.choice((1, 2, 3))):
                data[numbers.choice(ends)] = numbers.choice((0, 255, numbers.randrange(256)))
            (tmp_path / "a.zip").write_bytes(data)
            for operation in ("read", "unpacked"):
                try:
                    files = RawFiles(tmp_path, ["a.zip"])
                    for name in (NAME, "top/é.bin"):
                        getattr(files, operation)(name)
                except UserError as error:
                    assert error.where
                shutil.rmtree(tmp_path / "top", ignore_errors=True)


def test_a_small_zip_does_not_unpack_to_a_large_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, bytes(10_000))
    files = RawFiles(tmp_path, ["a.zip"])
    with pytest.raises(UserError, match="cannot be read") as caught:
        files.unpacked(NAME, most_bytes=9_999)
    assert caught.value.found == "it would unpack to 10,000 bytes"
    assert not (tmp_path / "top").exists()
    assert files.unpacked(NAME, most_bytes=10_000).stat().st_size == 10_000


def test_the_tables_of_sun_rgbd_have_limits(tmp_path: Path) -> None:
    """What their readers take: 256 MB of metadata, which zeros of 260 kB would exceed."""
    with (
        zipfile.ZipFile(tmp_path / "SUNRGBDtoolbox.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(sunrgbd.META, "w") as member,
    ):
        for _ in range(257):
            member.write(bytes(2**20))
    with pytest.raises(UserError, match=r"SUNRGBDMeta\.mat cannot be read") as caught:
        sunrgbd._raw(tmp_path).unpacked(sunrgbd.META)
    assert "it would unpack to 269,484,032 bytes" in str(caught.value.found)
    assert [path.name for path in tmp_path.iterdir()] == ["SUNRGBDtoolbox.zip"]


def test_a_zip_replaced_by_another_of_its_size_and_date_is_opened_again(tmp_path: Path) -> None:
    for content in (b"first", b"other"):
        with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("a" + content.decode()), content)
        os.utime(tmp_path / "new.zip", (1e9, 1e9))
        (tmp_path / "new.zip").replace(tmp_path / "a.zip")
        assert RawFiles(tmp_path, ["a.zip"]).read("a" + content.decode()) == content
