"""`cenbench data` as a user runs it, with stand-ins for the official files in `data/raw`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import official_nyudv2
import official_taskonomy
import pytest
from checkout import REPOSITORY
from typer.testing import CliRunner, Result

from cenbench.cli.data import app
from cenbench.data import adapters
from cenbench.errors import UserError
from cenbench.matrix.datasets import find_dataset, find_datasets
from cenbench.matrix.specs import DatasetSpec, dataset_key

NYUDV2 = "{name: nyudv2, size_px: 468, width_px: 625, train_scenes: 795, val_scenes: 654, seed: 0}"
TASKONOMY = "{name: taskonomy, size_px: 256, train_scenes: 1000, val_scenes: 500, seed: 0}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with params whose paper preset asks for as many scenes as the stand-ins have."""
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")
    preset = tmp_path / "params/presets/paper.yaml"
    text = preset.read_text()
    for old, new in (
        (NYUDV2, "{name: nyudv2, size_px: 48, width_px: 64, train_scenes: 7, val_scenes: 3, seed: 0}"),
        (TASKONOMY, "{name: taskonomy, size_px: 64, train_scenes: 7, val_scenes: 3, seed: 0}"),
        ("{batch_size: 1}", "{batch_size: 1, samples: 2}"),
        ("kid_subset_size: 500, kid_seed: 0}", "kid_subset_size: 3, kid_seed: 0, samples: 2}"),
    ):
        assert old in text
        text = text.replace(old, new)
    for old, new in (
        ("resize_px: 286", "resize_px: 72"),
        ("crop_px: 256", "crop_px: 64"),
        ("levels: 8", "levels: 6"),
    ):
        text = text.replace(old, new)
    preset.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cenbench(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--preset", "paper"])


def done(*arguments: str) -> str:
    result = cenbench(*arguments)
    assert result.exit_code == 0, result.exception or result.output
    return result.output


def error_of(*arguments: str) -> str:
    result = cenbench(*arguments) if "--preset" not in arguments else CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_from_nothing_to_prepared(root: Path) -> None:
    listed = done("list")
    for name in ("cityscapes", "nyudv2", "sunrgbd", "taskonomy"):
        assert f"nothing in data/raw/{name}" in listed
    assert "not prepared; next: cenbench data prepare nyudv2-48x64px" in listed
    message = error_of("prepare", "--workers", "1")
    for text in ("nyu_depth_v2_labeled.mat (2,972,037,809 bytes): http", "splits.mat", "data/raw/nyudv2",
                 "train_domain.txt", "data/raw/taskonomy"):  # fmt: skip
        assert text in message, "the files of both datasets are named at once"

    elsewhere = root / "elsewhere"
    elsewhere.mkdir()
    official_nyudv2.write_folder(elsewhere)
    output = done("prepare", "nyudv2", "--raw", str(elsewhere), "--workers", "1")
    assert "licence: no licence is stated" in output
    assert "@inproceedings{silberman2012indoor" in output
    assert "; next: cenbench data show nyudv2-48x64px" in output

    (root / "data/raw/taskonomy").mkdir(parents=True)
    official_taskonomy.write_sample(root / "data/raw/taskonomy")
    assert "raw files in data/raw/taskonomy" in done("list")
    output = done("prepare", "--workers", "1")
    assert "taskonomy-64px" in output
    assert output.count("; next: cenbench data show") == 2, "all datasets of the preset"
    listed = done("list")
    assert "not prepared; next" not in listed
    assert "prepared: taskonomy-64px" in listed

    output = done("stats", "nyudv2")
    assert "1/5000 m along the optical axis" in output
    assert "refridgerator" in output
    done("verify", "nyudv2")
    done("show", "nyudv2", "--scenes", "2", "--out", str(root / "sheet.png"))
    assert (root / "sheet.png").stat().st_size > 0


def test_user_errors(root: Path) -> None:
    assert "--raw needs a dataset's name" in error_of("prepare", "--raw", str(root))
    assert "no dataset 'kitti'" in error_of("prepare", "kitti")
    (root / "raw").mkdir()
    message = error_of("prepare", "nyudv2", "--raw", str(root / "raw"))
    assert "found: an empty folder" in message
    assert "no such folder" in error_of("prepare", "nyudv2", "--raw", str(root / "nowhere"))
    (root / "raw/readme.txt").write_text("not here")
    message = error_of("prepare", "nyudv2", "--raw", str(root / "raw"))
    assert "holds no version of NYUDv2" in message
    assert "readme.txt" in message
    assert "is not prepared" in error_of("stats", "nyudv2")
    message = error_of("prepare", "nyudv2", "--preset", "demo")
    assert "preset 'demo' has no dataset 'nyudv2'" in message
    assert "fix: add --preset with one of: paper" in message


def test_every_example_names_one_dataset_of_its_preset() -> None:
    """An example is typed as it stands: its name or key must be enough to find the dataset."""
    from typer.main import get_command

    helps = [str(command.help) for command in get_command(app).commands.values()]  # type: ignore[attr-defined]
    examples = [found for text in helps for found in re.findall(r"cenbench data (?:verify|stats|show) ([^\[]+)", text)]
    named = [words.split() for words in examples if not words.startswith("NAME")]
    assert len(named) == 3
    for words in named:
        preset = words[words.index("--preset") + 1] if "--preset" in words else "demo"
        assert find_dataset(REPOSITORY / "params", preset, words[0])


def test_a_name_of_several_datasets_is_answered_with_keys_that_work(root: Path) -> None:
    """The demo's figure 13 has a dataset of its own, with a tuning split."""
    both = find_datasets(root / "params", "demo", "synthrooms")
    assert len(both) == 2
    with pytest.raises(UserError, match="has 2 datasets of this name") as caught:
        find_dataset(root / "params", "demo", "synthrooms")
    keys = [dataset_key(spec) for spec in both]
    assert caught.value.fix == f"write {keys[0]} instead of synthrooms"
    assert all(key in str(caught.value.expected) for key in keys) and "60 tune" in str(caught.value.expected)
    assert [find_dataset(root / "params", "demo", key) for key in keys] == list(both)


def test_prepare_takes_every_dataset_of_a_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def prepare(spec: DatasetSpec, data: Path, *rest: object) -> Path:
        asked.append(spec)
        return data / dataset_key(spec)

    monkeypatch.setattr(adapters, "prepare", prepare)
    result = CliRunner().invoke(app, ["prepare", "synthrooms", "--preset", "demo"])
    assert result.exit_code == 0, result.exception
    assert tuple(asked) == find_datasets(root / "params", "demo", "synthrooms")
