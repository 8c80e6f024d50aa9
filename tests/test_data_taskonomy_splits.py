"""Splits of Taskonomy without lists: apart by building, or by point, drawn with the seed alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from official_taskonomy import DOMAINS

from cenbench.data.official.adapter import Scan
from cenbench.data.official.prepare import remarks
from cenbench.data.official.taskonomy import Taskonomy
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

SPEC = DatasetSpec(name="taskonomy", size_px=64, train_scenes=12, val_scenes=6, seed=0)


def touch(raw: Path, folders: list[str], points: int, views: int) -> None:
    """Write empty files, which a scan does not open. `folders` lie below the domain's folder."""
    for domain in DOMAINS:
        for folder in folders:
            (raw / domain / folder).mkdir(parents=True, exist_ok=True)
            for point in range(points):
                for view in range(views):
                    (raw / domain / folder / f"point_{point}_view_{view}_domain_{domain}.png").touch()


def scan(raw: Path, **changes: int) -> Scan:
    return Taskonomy().scan(raw, SPEC.model_copy(update=changes))


def halves(found: Scan, separator: str) -> tuple[set[str], set[str]]:
    """Buildings (`/`) or points (`_view_`) of each split."""
    train, val = (
        {sample.id.rpartition(separator)[0] for sample in found.samples if sample.split == split}
        for split in ("train", "val")
    )
    return train, val


def test_one_building_is_split_by_point(tmp_path: Path) -> None:
    touch(tmp_path, [""], points=9, views=3)
    found = scan(tmp_path)
    assert [sample.split for sample in found.samples] == ["train"] * 12 + ["val"] * 6
    train, val = halves(found, "_view_")
    assert train
    assert val
    assert not train & val, "no point is in both"
    assert found.samples == scan(tmp_path).samples
    assert {sample.id for sample in found.samples} != {sample.id for sample in scan(tmp_path, seed=1).samples}
    assert not found.sources


def test_several_buildings_are_split_by_building(tmp_path: Path) -> None:
    touch(tmp_path, ["taskonomy/a", "taskonomy/b", "taskonomy/c"], points=4, views=2)
    train, val = halves(scan(tmp_path), "/")
    assert train | val == {"a", "b", "c"}
    assert not train & val


def test_folders_of_buildings_may_lie_above_those_of_domains(tmp_path: Path) -> None:
    touch(tmp_path, ["a", "b", "c"], points=4, views=2)
    below = [sample.id for sample in scan(tmp_path).samples]
    for domain in DOMAINS:
        for building in "abc":
            (tmp_path / "moved" / building).mkdir(parents=True, exist_ok=True)
            (tmp_path / domain / building).rename(tmp_path / "moved" / building / domain)
    assert [sample.id for sample in scan(tmp_path / "moved").samples] == below


def test_too_few_views_are_an_error_before_any_is_read(tmp_path: Path) -> None:
    touch(tmp_path, [""], points=4, views=2)
    with pytest.raises(UserError, match="too few samples for train") as caught:
        scan(tmp_path)
    assert caught.value.key == "dataset.train_scenes"
    assert "12" in str(caught.value.expected)


def test_the_split_by_points_follows_the_proportion_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, [""], points=30, views=1)
    train, val = halves(scan(tmp_path, train_scenes=20, val_scenes=10), "_view_")
    assert (len(train), len(val)) == (20, 10)


def table(raw: Path, *rows: str) -> None:
    (raw / "train_val_test_tiny.csv").write_text("\n".join(["id,train,val,test", *rows]))


def test_a_building_that_the_table_does_not_name_is_reported(tmp_path: Path) -> None:
    touch(tmp_path, ["taskonomy/allensville", "taskonomy/hanson", "taskonomy/corozal", "taskonomy/ihlen"], 6, 2)
    table(tmp_path, "allensville,1,0,0", "corozal,0,1,0", "ihlen,0,0,1")
    found = scan(tmp_path)
    assert halves(found, "/") == ({"allensville"}, {"corozal"})
    assert found.excluded == (("hanson", "12 views: train_val_test_tiny.csv does not name it"),)
    assert any(line.startswith("left out: hanson (12 views") for line in remarks(Taskonomy(), tmp_path, found))


def test_a_table_of_other_spelling_is_refused_naming_both(tmp_path: Path) -> None:
    touch(tmp_path, ["taskonomy/allensville", "taskonomy/corozal"], points=6, views=2)
    table(tmp_path, "Allensville,1,0,0", "Corozal,0,1,0")
    with pytest.raises(UserError, match="the table names no building of this folder") as caught:
        scan(tmp_path)
    assert caught.value.found == "allensville, corozal in the folder; Allensville, Corozal in the table"
