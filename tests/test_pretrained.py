"""`cenbench weights`: the published file, or one that the user describes; complete, of that network, weights only."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import paper_one_step
import pytest
import safetensors.torch
import torch
from checkout import REPOSITORY
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.files import sha256_file
from cenbench.matrix.plan import load_plan
from cenbench.metrics.inputs.inception import read_inception
from cenbench.paths import Paths
from cenbench.pretrained import list as weights_list
from cenbench.pretrained import used as assets
from cenbench.pretrained.add import add_weights
from cenbench.pretrained.catalog import ASSETS, IMAGENET_FILES
from cenbench.pretrained.used import identified, own_note, pretrained_sha256
from cenbench.regular_file import unreadable

NAME, FILE = "resnet18", IMAGENET_FILES[18]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("downloads") / "download.pth"
    paper_one_step.resnet_file(path, 18)
    return path


@pytest.fixture
def published(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `source` were torchvision's file."""
    asset = dataclasses.replace(ASSETS[NAME], sha256=sha256_file(source)[:8])
    monkeypatch.setitem(ASSETS, NAME, asset)
    monkeypatch.setitem(assets.BY_FILE, FILE, asset)


def test_file_names_hold_the_digits_of_their_sha256_that_torch_hub_checks() -> None:
    for asset in ASSETS.values():
        assert f"-{asset.sha256[:8]}.pth" in asset.file
        assert len(asset.sha256) in (8, 64)
        assert asset.url.endswith(f"/{asset.file}")


def test_torch_fidelity_and_torchvision_publish_these_very_files() -> None:
    paper_one_step.import_torchvision()
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    from torchvision import models

    assert ASSETS["inception-v3"].url == URL_INCEPTION_V3
    for depth in (18, 34):  # the others it has saved anew since, under other digits
        assert ASSETS[f"resnet{depth}"].url == models.get_model_weights(f"resnet{depth}")["IMAGENET1K_V1"].url


def test_the_published_file_is_added_and_found_again(source: Path, tmp_path: Path, published: None) -> None:
    placed = add_weights(NAME, source, tmp_path)
    assert placed.path == tmp_path / FILE
    assert placed.path.read_bytes() == source.read_bytes()
    assert (placed.own, placed.already) == (None, False)
    assert identified(placed.path, placed.sha256).own is None
    assert add_weights(NAME, source, tmp_path).already
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_another_sha256_is_refused_unless_it_is_described_as_own_weights(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not the published resnet18") as caught:
        add_weights(NAME, source, tmp_path / "weights")
    assert caught.value.found == sha256_file(source)
    assert str(caught.value.expected).startswith("f37072fd")
    assert ASSETS[NAME].url in str(caught.value.fix)
    assert not (tmp_path / "weights").exists()
    placed = add_weights(NAME, source, tmp_path / "weights", own="trained by us")
    assert identified(placed.path, placed.sha256).own == "trained by us"


def test_a_file_copied_by_hand_is_not_used_silently(source: Path, tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(source.read_bytes())
    with pytest.raises(UserError, match="it has no description"):
        identified(path, sha256_file(path))
    own_note(path).write_text('{"sha256": "' + "0" * 64 + '", "what": "other bytes"}')
    with pytest.raises(UserError, match="it has no description"):
        identified(path, sha256_file(path))


def test_the_published_file_cannot_be_added_as_own_weights(source: Path, tmp_path: Path, published: None) -> None:
    with pytest.raises(UserError, match="this is the published file"):
        add_weights(NAME, source, tmp_path, own="mine")


def test_own_weights_need_a_description_and_a_known_name(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be described"):
        add_weights(NAME, source, tmp_path, own=" ")
    with pytest.raises(UserError, match=r"(?s)unknown weights.*resnet50.*did you mean"):
        add_weights("resnet05", source, tmp_path)
    with pytest.raises(UserError, match="no such file"):
        add_weights(NAME, tmp_path / "absent.pth", tmp_path)


class Malice:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (exec, (f"open({str(self.target)!r}, 'w').close()",))


def spoiled(source: Path, path: Path, how: str) -> Path:
    state = torch.load(source, weights_only=True)
    if how == "cut short":
        path.write_bytes(source.read_bytes()[:100_000])
        return path
    if how == "one bit":
        data = bytearray(source.read_bytes())
        data[len(data) // 2] ^= 8
        path.write_bytes(data)
        return path
    first = state["conv1.weight"]
    if how in ("int8", "bool", "complex64", "float8_e4m3fn"):
        state["conv1.weight"] = first.to(getattr(torch, how))
    elif how == "quantised":
        state["conv1.weight"] = torch.quantize_per_tensor(first, 0.1, 0, torch.qint8)
    elif how == "sparse":
        state["conv1.weight"] = first.to_sparse()
    elif how == "meta":
        state["conv1.weight"] = first.to("meta")
    elif how == "nested":
        state["conv1.weight"] = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    elif how == "counter":
        state["bn1.num_batches_tracked"] = torch.tensor(1 + 2j)
    elif how == "variance":
        state["layer1.0.bn1.running_var"][3] = -1
    elif how == "malice":
        state["conv1.weight"] = Malice(path.with_name("was-run"))
    elif how == "key":
        del state["layer2.1.bn2.running_var"]
    elif how == "more":
        state["layer5.weight"] = torch.zeros(1)
    elif how == "shape":
        state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    elif how == "nan":
        state["bn1.bias"][3] = float("nan")
    elif how == "list":
        state = list(state.values())
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut short", r"(?s)truncated or damaged.*bad\.pth"),
        ("one bit", r"(?s)truncated or damaged.*bad\.pth.*wrong checksum of \S+/data/\d+"),
        ("int8", r"(?s)not floating-point.*conv1\.weight.*int8"),
        ("bool", r"(?s)not floating-point.*conv1\.weight.*bool"),
        ("complex64", r"(?s)not floating-point.*conv1\.weight.*complex64"),
        ("float8_e4m3fn", r"(?s)not floating-point.*conv1\.weight.*float8_e4m3fn"),
        ("quantised", r"(?s)not plain tensors.*conv1\.weight.*quantised"),
        ("sparse", r"(?s)not plain tensors.*conv1\.weight.*sparse"),
        ("meta", r"(?s)not plain tensors.*conv1\.weight.*meta"),
        ("nested", r"(?s)a nested tensor.*conv1\.weight"),
        ("counter", r"(?s)not numbers of batches.*bn1\.num_batches_tracked.*complex64.*int64"),
        ("variance", r"(?s)a variance is negative.*layer1\.0\.bn1\.running_var.*-1"),
        ("malice", r"(?s)could run arbitrary code.*bad\.pth.*the type exec"),
        ("key", r"(?s)torchvision's layout.*layer2\.1\.bn2\.running_var.*no such key"),
        ("more", r"(?s)torchvision's layout.*layer5\.weight.*does not have"),
        ("shape", r"(?s)torchvision's layout.*layer1\.0\.conv1\.weight.*\(64, 64, 1, 1\).*\(64, 64, 3, 3\)"),
        ("nan", r"(?s)not finite.*bn1\.bias"),
        ("list", r"(?s)not a state dict.*list"),
    ],
)
def test_a_file_of_another_network_is_reported_and_not_added(
    source: Path, tmp_path: Path, how: str, message: str
) -> None:
    bad = spoiled(source, tmp_path / "bad.pth", how)
    with pytest.raises(UserError, match=message):
        add_weights(NAME, bad, tmp_path / "weights", own="mine")
    assert not (tmp_path / "weights").exists()
    assert not (tmp_path / "was-run").exists()


def cyclic() -> dict[str, object]:
    around: dict[str, object] = {}
    around.update({str(number): around for number in range(60)})
    return around


def shared(leaf: object) -> object:
    """A few dicts, each of which holds the next 40 times: 40^6 places."""
    for _ in range(6):
        leaf = {str(number): leaf for number in range(40)}
    return leaf


MANY: dict[str, tuple[Callable[[], object], str]] = {
    "cyclic": (cyclic, "(?s)holds itself.*beside"),
    "shared": (lambda: shared(1), r"(?s)too many entries.*100,000"),
    "shared and empty": (lambda: shared({}), r"(?s)too many entries.*100,000"),
    "a long name": (lambda: {"x" * 2000: 1}, r"(?s)a name in this file is too long.*2,007 characters"),
    "many sets": (
        lambda: {str(number): {"conv1.weight": 1, "layer1.0.conv1.weight": 1} for number in range(101)},
        "too many sets of weights",
    ),
}


@pytest.mark.parametrize("what", MANY)
def test_dicts_without_an_end_are_reported(source: Path, tmp_path: Path, what: str) -> None:
    content, message = MANY[what]
    torch.save({"beside": content(), "model": torch.load(source, weights_only=True)}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=message):
        add_weights(NAME, tmp_path / "bad.pth", tmp_path / "weights", own="mine")
    assert not (tmp_path / "weights").exists()


def test_keys_that_are_not_names_and_dicts_in_two_places_are_ignored(source: Path, tmp_path: Path) -> None:
    state, options = torch.load(source, weights_only=True), {"lr": 0.1}
    beside = {10**500: 1, (1, 2): options, "again": options}
    torch.save({"beside": beside, "model": state}, tmp_path / "odd.pth")
    assert add_weights(NAME, tmp_path / "odd.pth", tmp_path / "weights", own="mine").path.exists()


@pytest.mark.parametrize("present", [False, True])
def test_a_description_that_is_not_utf8_is_refused_before_anything_is_written(
    source: Path, tmp_path: Path, present: bool
) -> None:
    weights = tmp_path / "weights"
    if present:
        add_weights(NAME, source, weights, own="before")
    with pytest.raises(UserError, match=r"(?s)not UTF-8.*--own.*caf.udce9"):
        add_weights(NAME, source, weights, own="caf\udce9")
    assert weights.exists() == present
    assert not present or "before" in own_note(weights / FILE).read_text()


def script(path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)


def zip_of_weights(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("resnet18.pth", b"weights")


def tar_of_weights(path: Path) -> None:
    """As torch wrote them before version 0.4, or anyone's own archive."""
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "TorchScript": (script, r"(?s)a TorchScript archive.*torch\.jit\.load"),
    "a zip": (zip_of_weights, r"(?s)a zip archive that torch\.save did not write.*resnet18\.pth.*unpack it"),
    "a tar": (tar_of_weights, r"(?s)another kind of file.*a tar archive.*unpack it"),
    "a page": (lambda path: path.write_text("<html>"), r"(?s)another kind of file.*an HTML"),
    "a pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "git lfs pull"),
    "HDF5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "an HDF5 file"),
    "nothing": (lambda path: path.touch(), "an empty file"),
    "a folder": (lambda path: path.mkdir(), r"(?s)not a regular file.*a directory"),
    "a pipe": (os.mkfifo, r"(?s)not a regular file.*a pipe"),
    "a link to itself": (lambda path: path.symlink_to(path.name), r"(?s)cannot be accessed.*ELOOP"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_of_file_is_named(tmp_path: Path, kind: str) -> None:
    write, message = KINDS[kind]
    write(tmp_path / "bad.pth")
    with pytest.raises(UserError, match=message) as caught:
        add_weights(NAME, tmp_path / "bad.pth", tmp_path / "weights", own="mine")
    assert caught.value.where == tmp_path / "bad.pth"


def test_a_file_without_checksums_is_read(source: Path, tmp_path: Path) -> None:
    compute = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(torch.load(source, weights_only=True), tmp_path / "fast.pth")
    finally:
        torch.serialization.set_crc32_options(compute)
    with zipfile.ZipFile(tmp_path / "fast.pth") as archive:
        assert archive.testzip() is not None
    add_weights(NAME, tmp_path / "fast.pth", tmp_path / "weights", own="written without checksums")


def test_old_files_without_counters_and_own_weights_with_other_classes_are_accepted(
    source: Path, tmp_path: Path
) -> None:
    state = torch.load(source, weights_only=True)
    state = {key: value for key, value in state.items() if "num_batches" not in key}
    state["fc.weight"], state["fc.bias"] = torch.zeros(10, 512), torch.zeros(10)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert add_weights(NAME, tmp_path / "old.pth", tmp_path, own="ten classes").path.exists()


def test_other_weights_are_replaced_only_on_request(source: Path, tmp_path: Path) -> None:
    add_weights(NAME, source, tmp_path, own="first")
    state = torch.load(source, weights_only=True)
    state["bn1.bias"] += 1
    torch.save(state, tmp_path / "second.pth")
    with pytest.raises(UserError, match="other weights of that name are in place") as caught:
        add_weights(NAME, tmp_path / "second.pth", tmp_path, own="second")
    assert caught.value.where == tmp_path / FILE
    assert (tmp_path / FILE).read_bytes() == source.read_bytes()
    placed = add_weights(NAME, tmp_path / "second.pth", tmp_path, own="second", replace=True)
    assert identified(placed.path, placed.sha256).own == "second"


def test_the_layout_of_inception_is_checked_too(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)Inception-v3 weights.*Missing key"):
        add_weights("inception-v3", source, tmp_path, own="a ResNet")


def test_the_list_shows_which_files_are_in_place_and_which_cells_need_them(tmp_path: Path) -> None:
    plan = load_plan(REPOSITORY / "params", "paper")
    listed = {each.name: each for each in weights_list.list_pretrained(plan, Paths(tmp_path))}
    assert listed.keys() == ASSETS.keys()
    assert {each.state for each in listed.values()} == {"absent"}
    assert set(listed["resnet152"].tables) == {"table3"}
    assert listed["resnet50"].cells == ()
    needed = sum(len(listed[name].cells) for name in ("resnet101", "resnet152", "inception-v3"))
    assert needed == len(plan.cells), "every cell of the paper preset rests on one pretrained file"
    cell = plan.cell(listed["resnet152"].cells[0])
    assert pretrained_sha256(cell, Paths(tmp_path)) == {IMAGENET_FILES[152]: None}


def test_a_file_that_cannot_be_used_is_not_present(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half download, a folder, and a file that the file system does not give: each with its reason."""
    plan, paths = load_plan(REPOSITORY / "params", "paper"), Paths(tmp_path)
    (tmp_path / "params").symlink_to(REPOSITORY / "params")
    paths.weights.mkdir()
    needed = [asset.file for asset in ASSETS.values() if asset.name in ("resnet101", "resnet152", "inception-v3")]
    for file in needed:
        (paths.weights / file).write_bytes(b"half a download")
    output = CliRunner().invoke(app, ["weights", "list", "--preset", "paper", "--root", str(tmp_path)]).output
    assert "are present" not in output
    for file in needed:
        assert f"{file} cannot be used (neither the published file nor described as your own)" in output
    assert "cenbench weights add resnet101 FILE --replace" in output
    (paths.weights / needed[0]).unlink()
    (paths.weights / needed[0]).mkdir()

    def refuse(path: Path, _: Path) -> str:
        if path.is_dir():
            raise UserError(f"{path.name} is not a regular file")
        raise unreadable(path, PermissionError(errno.EACCES, "Permission denied"))

    monkeypatch.setattr(weights_list, "cached_sha256", refuse)
    words = {each.file: each.words for each in weights_list.list_pretrained(plan, paths)}
    assert words[needed[0]] == f"unusable: {needed[0]} is not a regular file"
    assert words[needed[1]].startswith(f"unusable: {needed[1]} cannot be accessed: Permission denied")


def test_an_inception_file_that_the_file_system_refuses_is_not_called_another_file(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    path.symlink_to(path)
    with pytest.raises(UserError, match=r"cannot be accessed") as caught:
        read_inception(path)
    assert "link" in str(caught.value.fix)


def test_the_commands_suggest_the_next_step(source: Path, tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(REPOSITORY / "params")
    runner = CliRunner()
    added = runner.invoke(app, ["weights", "add", NAME, str(source), "--own", "trained by us", "--root", str(tmp_path)])
    assert added.exit_code == 0, added.output
    assert f"dvc add {tmp_path / 'weights' / FILE}" in added.output
    listed = runner.invoke(app, ["weights", "list", "--preset", "paper", "--root", str(tmp_path)]).output
    demo = runner.invoke(app, ["weights", "list", "--root", str(tmp_path)]).output
    assert "preset demo needs no pretrained weights" in demo
    assert "your own: trained by us" in listed
    assert f"cenbench weights add resnet101 {IMAGENET_FILES[101]}" in listed


Tensors = dict[str, torch.Tensor]


def add_ema(state: Tensors) -> dict[str, object]:
    return {"state_dict": state, "state_dict_ema": {name: value + 1 for name, value in state.items()}}


WRAPPED: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "DataParallel": (lambda state: {f"module.{name}": value for name, value in state.items()}, "module"),
    "torch.compile": (lambda state: {f"_orig_mod.{name}": value for name, value in state.items()}, "_orig_mod"),
    "state_dict": (lambda state: {"epoch": 3, "state_dict": state, "best": 0.5}, "state_dict"),
    "model": (lambda state: {"model": state, "optimizer": {"state": {0: {"step": 1}}, "param_groups": [1]}}, "model"),
    "net": (lambda state: {"net": state}, "net"),
    "model_ema": (lambda state: {"model_ema": state, "args": argparse.Namespace(lr=1.0)}, "model_ema"),
    "an average": (
        lambda state: {"ema": {"n_averaged": torch.tensor(3), **{f"module.{name}": v for name, v in state.items()}}},
        "ema.module",
    ),
    "both": (
        lambda state: {"model": {"state_dict": {f"module.{name}": value for name, value in state.items()}}},
        "model.state_dict.module",
    ),
    "an encoder in a larger network": (
        lambda state: {**{f"backbone.{name}": v for name, v in state.items()}, "head.weight": torch.zeros(3)},
        "backbone",
    ),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_wrapped_weights_are_written_as_a_plain_file(source: Path, tmp_path: Path, how: str) -> None:
    wrap, key = WRAPPED[how]
    state = torch.load(source, weights_only=True)
    torch.save(wrap(state), tmp_path / "wrapped.pth")
    placed = add_weights(NAME, tmp_path / "wrapped.pth", tmp_path / "weights", own="wrapped")
    assert placed.taken is not None
    assert placed.taken.key == key
    written = torch.load(placed.path, weights_only=True)
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], value) for name, value in state.items())
    assert identified(placed.path, sha256_file(placed.path)).own == "wrapped"
    assert add_weights(NAME, tmp_path / "wrapped.pth", tmp_path / "weights", own="wrapped").already


def test_weights_in_nested_dicts_are_written_as_a_plain_file(source: Path, tmp_path: Path) -> None:
    """Names are looked up whole when they are loaded."""
    state, nested = torch.load(source, weights_only=True), dict[str, dict[str, torch.Tensor]]()
    for name, value in state.items():
        first, _, rest = name.partition(".")
        nested.setdefault(first, {})[rest] = value
    torch.save(nested, tmp_path / "nested.pth")
    placed = add_weights(NAME, tmp_path / "nested.pth", tmp_path / "weights", own="nested")
    assert torch.load(placed.path, weights_only=True).keys() == state.keys()


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone."])
def test_safetensors_are_written_as_a_plain_file(source: Path, tmp_path: Path, prefix: str) -> None:
    state = torch.load(source, weights_only=True)
    safetensors.torch.save_file({prefix + name: value for name, value in state.items()}, tmp_path / "x.safetensors")
    placed = add_weights(NAME, tmp_path / "x.safetensors", tmp_path / "weights", own="from elsewhere")
    written = torch.load(placed.path, weights_only=True)
    assert written.keys() == state.keys()
    assert all(torch.equal(written[name], value) for name, value in state.items())
    data = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"(?s)truncated or damaged.*cut\.safetensors"):
        add_weights(NAME, tmp_path / "cut.safetensors", tmp_path / "weights", own="cut")


def test_of_several_weights_that_fit_one_must_be_chosen(source: Path, tmp_path: Path) -> None:
    state = torch.load(source, weights_only=True)
    torch.save(add_ema(state), tmp_path / "two.pth")
    with pytest.raises(UserError, match=r"2 sets of weights in this file fit") as caught:
        add_weights(NAME, tmp_path / "two.pth", tmp_path / "weights", own="one of two")
    assert "state_dict: fits" in str(caught.value.found)
    assert "state_dict_ema: fits" in str(caught.value.found)
    assert "--key state_dict_ema" in str(caught.value.fix)
    assert not (tmp_path / "weights").exists()
    for key, more in (("state_dict", 0), ("state_dict_ema", 1)):
        placed = add_weights(NAME, tmp_path / "two.pth", tmp_path / key, own=key, key=key)
        assert torch.equal(torch.load(placed.path, weights_only=True)["bn1.bias"], state["bn1.bias"] + more)
    with pytest.raises(UserError, match=r"no weights of this network under 'ema'") as caught:
        add_weights(NAME, tmp_path / "two.pth", tmp_path / "weights", own="x", key="ema")
    assert "'state_dict_ema'" in str(caught.value.found)


def test_one_of_several_that_fits_is_taken(source: Path, tmp_path: Path) -> None:
    """A teacher of another depth beside the student."""
    state = torch.load(source, weights_only=True)
    teacher = {**state, "layer3.2.conv1.weight": torch.zeros(1)}
    torch.save({"student": state, "teacher": teacher}, tmp_path / "pair.pth")
    placed = add_weights(NAME, tmp_path / "pair.pth", tmp_path / "weights", own="the student")
    assert placed.taken is not None
    assert placed.taken.key == "student"
    torch.save({"student": teacher, "teacher": teacher}, tmp_path / "neither.pth")
    with pytest.raises(UserError, match="none of its weights fits") as caught:
        add_weights(NAME, tmp_path / "neither.pth", tmp_path / "weights", own="x", replace=True)
    assert "layer3.2.conv1.weight" in str(caught.value.found)
    assert "--key" in str(caught.value.fix)


def test_a_file_without_such_weights_names_what_it_holds(tmp_path: Path) -> None:
    torch.save(
        {"state_dict": {"patch_embed.weight": torch.zeros(2), "blocks.0.bias": torch.zeros(2)}, "epoch": 3},
        tmp_path / "vit.pth",
    )
    with pytest.raises(UserError, match="no weights of resnet18") as caught:
        add_weights(NAME, tmp_path / "vit.pth", tmp_path / "weights", own="x")
    assert caught.value.found == "state_dict (2 entries), epoch"
    assert "conv1.weight" in str(caught.value.expected)


def test_entries_whose_names_collide_are_refused(tmp_path: Path) -> None:
    torch.save({"a.b": torch.zeros(1), "a": {"b": torch.zeros(1)}}, tmp_path / "twice.pth")
    with pytest.raises(UserError, match="two entries of this file have one name"):
        add_weights(NAME, tmp_path / "twice.pth", tmp_path / "weights", own="x")
