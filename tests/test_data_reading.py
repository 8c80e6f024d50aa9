"""A file that cannot be read is not called damaged: the error names it and its cause, and nothing is fetched again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import official_cityscapes
import official_nyudv2
import official_sunrgbd
import official_taskonomy
import pytest
from official_files import StandIn
from tiny_dataset import write_dataset

from cenbench.data import adapters
from cenbench.data.adapters import find_adapter
from cenbench.data.manifest import Damaged, manifest_digest
from cenbench.data.prepared import Prepared
from cenbench.data.raw_folder import holds_raw_files
from cenbench.data.reading import files_below, read_lines
from cenbench.data.verified import open_whole
from cenbench.errors import UserError
from cenbench.regular_file import Missing, Unreadable

DATASETS = (official_cityscapes, official_nyudv2, official_sunrgbd, official_taskonomy)
STAND_INS: dict[str, StandIn] = {stand_in.label: stand_in for dataset in DATASETS for stand_in in dataset.STAND_INS}


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without the rights of root, for whom no file is unreadable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may write to, outside pytest's own, which is closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("label", STAND_INS)
def test_a_file_without_read_permission_is_named_for_every_format(label: str, shared: Path) -> None:
    stand_in, raw = STAND_INS[label], shared / "raw"
    raw.mkdir()
    stand_in.write(raw)
    scan = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec)
    for name in dict.fromkeys([*scan.sources, *scan.samples[0].files.values()]):
        (raw / name).chmod(0)
        with unprivileged(), pytest.raises(UserError) as caught:
            adapters.prepare(stand_in.spec, shared / "prepared", 1, False, raw)
        (raw / name).chmod(0o644)
        errors = str(caught.value)
        assert (raw / name).name in errors
        assert "Permission denied" in errors
        assert "again as published" not in str(caught.value.fix)
        assert "damaged" not in errors


@pytest.mark.parametrize("label", ["cityscapes-folders", "nyudv2-folder", "sunrgbd-folders", "taskonomy-tiny"])
def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(label: str, shared: Path) -> None:
    stand_in, raw = STAND_INS[label], shared / "raw"
    raw.mkdir()
    stand_in.write(raw)
    sample = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec).samples[-1]
    closed = (raw / next(iter(sample.files.values()))).parent
    for folder in (closed, raw):
        folder.chmod(0)
        with unprivileged(), pytest.raises(Unreadable, match="Permission denied") as caught:
            adapters.prepare(stand_in.spec, shared / "prepared", 1, False, raw)
        folder.chmod(0o755)
        assert str(folder) in str(caught.value.where)


@pytest.mark.parametrize("label", ["nyudv2-mat", "sunrgbd-folders", "taskonomy-sample"])
def test_links_that_lead_nowhere_and_folders_in_place_of_files(label: str, tmp_path: Path) -> None:
    """Errors that root meets too: a link to itself (ELOOP), a folder (EISDIR)."""
    stand_in, raw = STAND_INS[label], tmp_path / "raw"
    raw.mkdir()
    stand_in.write(raw)
    scan = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec)
    name = [*scan.sources, *scan.samples[0].files.values()][0]
    (raw / name).unlink()
    (raw / name).symlink_to((raw / name).name)
    with pytest.raises(UserError) as caught:
        adapters.prepare(stand_in.spec, tmp_path / "prepared", 1, False, raw)
    assert (raw / name).name in str(caught.value)
    (raw / name).unlink()
    (raw / name).mkdir()
    with pytest.raises(UserError) as caught:
        adapters.prepare(stand_in.spec, tmp_path / "prepared", 1, False, raw)
    assert (raw / name).name in str(caught.value)


@pytest.mark.parametrize("label", ["nyudv2-folder", "taskonomy-sample"])
def test_an_exclude_list_that_cannot_be_read_is_not_taken_for_none(label: str, tmp_path: Path) -> None:
    """A link whose file is gone, or a folder of that name."""
    stand_in, raw = STAND_INS[label], tmp_path / "raw"
    raw.mkdir()
    stand_in.write(raw)
    (raw / "exclude.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(UserError, match=r"exclude\.txt is missing"):
        adapters.prepare(stand_in.spec, tmp_path / "prepared", 1, False, raw)
    (raw / "exclude.txt").unlink()
    (raw / "exclude.txt").mkdir()
    with pytest.raises(UserError, match=r"exclude\.txt is not a regular file"):
        adapters.prepare(stand_in.spec, tmp_path / "prepared", 1, False, raw)


LINKS = {
    "nyudv2-mat": "nyu_depth_v2_labeled.mat",
    "nyudv2-folder": "masks",
    "cityscapes-zips": "leftImg8bit",
}


@pytest.mark.parametrize("label", LINKS)
def test_a_link_that_leads_nowhere_or_to_itself_is_reported_as_that(label: str, tmp_path: Path) -> None:
    """Not as missing, and not replaced by a zip of the same folder."""
    stand_in, path = STAND_INS[label], tmp_path / LINKS[label]
    stand_in.write(tmp_path)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(Missing, match=f"{path.name} is a link that leads nowhere") as caught:
        find_adapter(stand_in.spec.name).scan(tmp_path, stand_in.spec)
    assert caught.value.where == path
    assert str(tmp_path / "gone") in str(caught.value.found)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(Unreadable, match="ELOOP"):
        find_adapter(stand_in.spec.name).scan(tmp_path, stand_in.spec)


def test_reasons_of_an_exclude_list_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in, raw = STAND_INS["nyudv2-folder"], tmp_path / "raw"
    raw.mkdir()
    stand_in.write(raw)
    (raw / "exclude.txt").write_text("000005 a \x1b[2J reason\n")
    spec = stand_in.spec.model_copy(update={"train_scenes": stand_in.spec.train_scenes - 1})
    adapters.prepare(spec, tmp_path / "prepared", 1, False, raw)
    printed = capsys.readouterr().err
    assert "left out: 000005 (a ?[2J reason)" in printed
    assert "\x1b" not in printed


def test_lists_whose_files_are_gone_are_not_taken_for_none(tmp_path: Path) -> None:
    """Without lists, Taskonomy is split by chance."""
    stand_in = STAND_INS["taskonomy-sample"]
    stand_in.write(tmp_path)
    for name in ("train_domain.txt", "val_domain.txt"):
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(tmp_path / "gone.txt")
    with pytest.raises(UserError, match=r"train_domain\.txt is missing"):
        find_adapter("taskonomy").scan(tmp_path, stand_in.spec)


def test_a_name_that_the_file_system_refuses_is_named_with_its_list(tmp_path: Path) -> None:
    official_nyudv2.write_folder(tmp_path)
    with (tmp_path / "train.txt").open("a") as lines:
        lines.write(f"rgb/{'x' * 300}.png\tmasks/000001.png\tdepth/000001.png\n")
    with pytest.raises(Unreadable, match="ENAMETOOLONG") as caught:
        find_adapter("nyudv2").scan(tmp_path, official_nyudv2.FULL)
    assert str(caught.value.key).startswith("train.txt, xxx")


def test_an_unwritable_place_for_datasets_is_named(shared: Path) -> None:
    raw = shared / "raw"
    raw.mkdir()
    official_cityscapes.write(raw)
    (shared / "prepared").mkdir(mode=0o555)
    with unprivileged(), pytest.raises(UserError, match="Permission denied") as caught:
        adapters.prepare(official_cityscapes.SPEC, shared / "prepared", 1, False, raw)
    assert str(shared / "prepared") in str(caught.value.where)


@pytest.fixture
def prepared(shared: Path) -> Prepared:
    (shared / "data").mkdir(mode=0o777)
    made = write_dataset(shared / "data", {"shade": np.zeros((3, 2, 2), np.uint8)}, 2)
    made.folder.chmod(0o777)
    return made


@pytest.mark.parametrize("name", ["shade.npy", "manifest.json"])
def test_a_prepared_dataset_that_cannot_be_read_is_not_set_aside(prepared: Prepared, name: str, shared: Path) -> None:
    """Its files may be whole: another user's, or on a network file system that is away for a moment."""
    (prepared.folder / name).chmod(0)
    notes = shared / "notes"
    with unprivileged():
        for read in (lambda: Prepared.open(prepared.folder).verify(), lambda: open_whole(prepared.folder, notes)):
            with pytest.raises(Unreadable, match="Permission denied") as caught:
                read()
            assert caught.value.where == prepared.folder / name
            assert "delete" not in str(caught.value.fix)
    assert (prepared.folder / "manifest.json").exists()
    (prepared.folder / name).chmod(0o644)
    assert open_whole(prepared.folder, notes).digest == manifest_digest(prepared.folder)


def test_an_io_error_is_not_damage(prepared: Prepared, monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    def fails(path: Path) -> str:
        raise OSError(5, "Input/output error")

    with pytest.raises(Unreadable, match=r"shade\.npy cannot be accessed: Input/output error \(EIO\)"):
        prepared.verify(fails)
    monkeypatch.setattr("cenbench.data.verified.cached_sha256", lambda path, notes: fails(path))
    with pytest.raises(Unreadable, match="EIO"):
        open_whole(prepared.folder, shared / "notes")
    assert (prepared.folder / "manifest.json").exists()


def test_a_damaged_dataset_still_is_set_aside(prepared: Prepared, shared: Path) -> None:
    (prepared.folder / "shade.npy").write_bytes(b"cut")
    with pytest.raises(Damaged, match="truncated"):
        open_whole(prepared.folder, shared / "notes")
    assert not (prepared.folder / "manifest.json").exists()


def test_a_closed_raw_folder_is_an_error_not_an_empty_one(shared: Path) -> None:
    (shared / "raw").mkdir(mode=0)
    with unprivileged(), pytest.raises(Unreadable, match="Permission denied"):
        holds_raw_files(shared / "raw")


def test_a_pipe_in_place_of_an_image_is_not_waited_for(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    official_nyudv2.write_folder(raw)
    (raw / "rgb/000009.png").unlink()
    os.mkfifo(raw / "rgb/000009.png")
    with pytest.raises(UserError, match=r"rgb/000009\.png"):
        adapters.prepare(official_nyudv2.SMALL, tmp_path / "prepared", 1, False, raw)


def test_links_are_followed_and_a_cycle_ends(tmp_path: Path) -> None:
    for name in ("a/1", "elsewhere/2"):
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/3").touch()
    (tmp_path / "top/link").symlink_to(tmp_path / "outside")
    (tmp_path / "top/a/up").symlink_to(tmp_path / "top")
    assert list(files_below(tmp_path / "top")) == ["a/1", "elsewhere/2", "link/3"]


@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n") + "\r\n\r\n",
                                    lambda text: text.replace("\n", " \n\n")])  # fmt: skip
def test_lists_with_other_line_ends_are_read(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(change("one\ntwo\n").encode())
    assert [text for _, text in read_lines(path, fix="")] == ["one", "two"]
    for label, names in (
        ("nyudv2-folder", ["train.txt", "val.txt"]),
        ("taskonomy-sample", ["train_domain.txt", "val_domain.txt"]),
        ("taskonomy-tiny", ["train_val_test_tiny.csv"]),
    ):
        stand_in, raw = STAND_INS[label], tmp_path / label
        raw.mkdir()
        stand_in.write(raw)
        samples = find_adapter(stand_in.spec.name).scan(raw, stand_in.spec).samples
        for name in names:
            (raw / name).write_bytes(change((raw / name).read_text()).encode())
        assert find_adapter(stand_in.spec.name).scan(raw, stand_in.spec).samples == samples
