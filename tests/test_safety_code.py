"""Nothing is unpickled and nothing reaches a shell: shown of the source itself, and with files that try."""

from __future__ import annotations

import ast
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from checkout import REPOSITORY

from cenbench.errors import UserError
from cenbench.metrics.extractors import load_extractor
from cenbench.nn.segmenter import build_segmenter
from cenbench.pretrained.catalog import IMAGENET_FILES
from cenbench.report.environment import page_templates
from cenbench.run.import_checkpoint import read_checkpoint
from cenbench.tensor_file import load_tensors
from cenbench.train.imagenet import load_imagenet
from cenbench.train.state import load_state, save_state

SOURCES = sorted([*(REPOSITORY / "cenbench").rglob("*.py"), *(REPOSITORY / "benchmarks").rglob("*.py")])
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "shelve.open", "marshal.loads", "joblib.load", "dill.load"),
    *("yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.hub.load", "pandas.read_pickle", "pd.read_pickle"),
    *("shutil.unpack_archive", "pandas.eval", "os.execvp", "os.spawnv", "pty.spawn"),
}


def calls(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every call of a file: its dotted name, and its keywords as they are written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {each.arg or "**": ast.unparse(each.value) for each in node.keywords}


def unsafe(path: Path) -> list[str]:
    """The calls of a file that could run what a file, a parameter or an archive holds."""
    found = []
    for name, keywords in calls(path):
        bad = name in FORBIDDEN
        bad |= name == "torch.load" and keywords.get("weights_only") != "True"
        bad |= name == "yaml.load" and keywords.get("Loader") not in ("_Loader", "yaml.SafeLoader")
        bad |= keywords.get("shell", "False") != "False"
        bad |= keywords.get("allow_pickle", "False") != "False"
        bad |= name.endswith(("extractall", ".extract")) or name in ("Markup", "markupsafe.Markup")
        bad |= name.endswith(".Environment") and "autoescape" not in keywords
        if bad:
            found.append(f"{path.name}: {name}({keywords})")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_call_runs_what_it_reads(path: Path) -> None:
    assert unsafe(path) == []


@pytest.mark.parametrize(
    "line",
    [
        *("torch.load(f)", "torch.load(f, weights_only=False)", "pickle.loads(x)", "yaml.load(f, Loader=yaml.Loader)"),
        *("subprocess.run(x, shell=True)", "np.load(f, allow_pickle=True)", "jinja2.Environment()", "eval(x)"),
        *("tar.extractall(x)", "os.system(x)", "yaml.load(f)"),
    ],
)
def test_the_search_would_find_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(line)
    assert unsafe(path)


def test_torch_files_have_one_reader_and_pages_escape() -> None:
    readers = [path.name for path in SOURCES if any(name == "torch.load" for name, _ in calls(path))]
    assert [name for name in readers if (REPOSITORY / "cenbench" / name).exists()] == ["tensor_file.py"]
    assert page_templates().autoescape is True
    assert page_templates().from_string("{{ x }}").render(x="<script>") == "&lt;script&gt;"
    templates = (REPOSITORY / "cenbench/report/templates").glob("*.html")
    assert not [path for path in templates if "|safe" in path.read_text().replace(" ", "")]


class Malicious:
    """Unpickled with trust, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def read_imagenet(folder: Path, content: object) -> None:
    torch.save(content, folder / IMAGENET_FILES[18])
    network = build_segmenter(
        modalities=2, classes=2, convs="shared", norms="unshared", fusion="none", stage="all", merged=False,
        theta=0.02, own_part_only=False, head="refinenet", depth=18, width=4, decoder_width=8, dropout=0.0,
        freeze_norm_statistics=False, gamma_init=None,
    )  # fmt: skip
    load_imagenet(network.encoder, 18, folder)


def read_inception(folder: Path, content: object) -> None:
    torch.save(content, folder / "inception.pth")
    load_extractor("inception-v3", folder / "inception.pth", torch.device("cpu"))


def read_released(folder: Path, content: object) -> None:
    torch.save(content, folder / "model-best.pth.tar")
    read_checkpoint(folder / "model-best.pth.tar")


@pytest.mark.parametrize("reader", [read_imagenet, read_inception, read_released])
@pytest.mark.parametrize("trusting", [False, True])
def test_a_malicious_file_is_refused_by_the_name_of_its_type(
    tmp_path: Path, reader: Callable[[Path, object], None], trusting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the environment asks torch to trust every file."""
    if trusting:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    made = tmp_path / "made"
    with pytest.raises(UserError) as caught:
        reader(tmp_path, {"conv1.weight": Malicious(made)})
    assert "mkdir" in str(caught.value.found)
    assert "weights_only" not in str(caught.value), "no advice to load it without caution"
    assert not made.exists()


def test_a_malicious_state_is_refused_by_the_name_of_its_type(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_state(tmp_path, {"step": 1, "evil": Malicious(tmp_path / "made")})
    assert load_state(tmp_path) is None
    assert "mkdir" in caplog.text
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_is_no_file_of_weights(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"a": Malicious(tmp_path / "made")}, protocol=protocol))
    with pytest.raises(UserError, match="not a file of weights"), path.open("rb") as file:
        load_tensors(file, path)
    assert not (tmp_path / "made").exists()


def test_an_array_with_objects_in_it_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rgb.npy"
    np.save(path, np.array([Malicious(tmp_path / "made")], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        np.lib.format.open_memmap(path, mode="r")  # what `Prepared` opens arrays with
    assert not (tmp_path / "made").exists()
