"""Nothing is unpickled and nothing reaches a shell: checked in the source, and with malicious files."""

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
from cenbench.metrics.inputs.extractors import load_extractor
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


def calls(path: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Every call in a file: its line, its dotted name, and its keywords as they are written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg or "**": ast.unparse(keyword.value) for keyword in node.keywords}
            yield node.lineno, ast.unparse(node.func), keywords


MARKUP = {
    "cenbench/report/environment.py": "the script of every page, a file of the package",
    "cenbench/report/figures/page_svg.py": "matplotlib's drawing, which escapes its texts, below a title escaped there",
    "cenbench/report/scatter.py": "a drawing rendered by a template that escapes",
}
"""Files that may declare text as safe HTML, and what it is."""


def unsafe_calls(path: Path) -> list[str]:
    """The calls in a file that could run what a file, a parameter or an archive holds: `FILE:LINE calls NAME(...)`."""
    found = []
    for line, name, keywords in calls(path):
        bad = name in FORBIDDEN
        bad |= name == "torch.load" and keywords.get("weights_only") != "True"
        bad |= name == "yaml.load" and keywords.get("Loader") not in ("_Loader", "yaml.SafeLoader")
        bad |= keywords.get("shell", "False") != "False"
        bad |= keywords.get("allow_pickle", "False") != "False"
        bad |= name.endswith(("extractall", ".extract"))
        bad |= name.endswith("Markup") and not any(path == REPOSITORY / known for known in MARKUP)
        bad |= name.endswith(".Environment") and "autoescape" not in keywords
        if bad:
            written = ", ".join(f"{keyword}={value}" for keyword, value in keywords.items())
            found.append(f"{path}:{line} calls {name}({written})")
    return found


def test_no_call_runs_what_it_reads() -> None:
    found = [call for path in SOURCES for call in unsafe_calls(path)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "call",
    [
        *("torch.load(f)", "torch.load(f, weights_only=False)", "pickle.loads(x)", "yaml.load(f, Loader=yaml.Loader)"),
        *("subprocess.run(x, shell=True)", "np.load(f, allow_pickle=True)", "jinja2.Environment()", "eval(x)"),
        *("tar.extractall(x)", "os.system(x)", "yaml.load(f)"),
    ],
)
def test_an_unsafe_call_is_found(tmp_path: Path, call: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(f"def f(x):\n    return {call}\n")
    (found,) = unsafe_calls(path)
    assert found.startswith(f"{path}:2 calls {call.split('(')[0]}(")


def test_torch_files_have_one_reader_and_pages_escape() -> None:
    readers = [path for path in SOURCES if any(name == "torch.load" for _, name, _ in calls(path))]
    assert [path for path in readers if path.is_relative_to(REPOSITORY / "cenbench")] == [
        REPOSITORY / "cenbench/tensor_file.py"
    ]
    assert page_templates().autoescape is True
    assert page_templates().from_string("{{ x }}").render(x="<script>") == "&lt;script&gt;"
    templates = (REPOSITORY / "cenbench/report/templates").glob("*.html")
    assert not [path for path in templates if "|safe" in path.read_text().replace(" ", "")]


class Malicious:
    """Creates a folder if it is unpickled."""

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
def test_a_malicious_file_is_refused_and_its_type_named(
    tmp_path: Path, reader: Callable[[Path, object], None], trusting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the environment asks torch to trust every file."""
    if trusting:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    made = tmp_path / "made"
    with pytest.raises(UserError) as caught:
        reader(tmp_path, {"conv1.weight": Malicious(made)})
    assert "mkdir" in str(caught.value.found)
    assert "weights_only" not in str(caught.value), "the message must not advise loading it anyway"
    assert not made.exists()


def test_a_malicious_state_is_refused_and_its_type_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_state(tmp_path, {"step": 1, "evil": Malicious(tmp_path / "made")})
    assert load_state(tmp_path) is None
    assert "mkdir" in caplog.text
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_is_not_a_weights_file(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"a": Malicious(tmp_path / "made")}, protocol=protocol))
    with pytest.raises(UserError, match=r"not a (complete )?file of weights"), path.open("rb") as file:
        load_tensors(file, path)
    assert not (tmp_path / "made").exists()


def test_an_array_of_python_objects_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rgb.npy"
    np.save(path, np.array([Malicious(tmp_path / "made")], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        np.lib.format.open_memmap(path, mode="r")  # as `Prepared` opens arrays
    assert not (tmp_path / "made").exists()
