"""The container recipe installs what `make env` installs. The text of the recipe is checked; no image is built."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib

import pytest
from checkout import REPOSITORY

SECTIONS = {"files", "post", "environment", "runscript", "test", "labels"}


def recipe() -> tuple[dict[str, str], dict[str, str]]:
    """The header's keys, and section -> text."""
    header, *rest = re.split(r"^%", (REPOSITORY / "containers" / "cenbench.def").read_text(), flags=re.MULTILINE)
    lines = (line for line in header.splitlines() if line and not line.startswith("#"))
    keys = dict(line.split(": ", 1) for line in lines)
    return keys, {name.strip(): text for name, _, text in (section.partition("\n") for section in rest)}


def installs(text: str) -> list[list[str]]:
    """The arguments of every `pip install`, in order; in the Makefile some are the first argument of a $(call)."""
    lines = (line.strip().removesuffix(",$(RESUME))") for line in text.splitlines())
    return [shlex.split(line.split("pip ", 1)[1]) for line in lines if "-m pip install" in line]


def test_it_installs_as_make_env_does() -> None:
    """The same commands in the same order, torch first, all under the lock."""
    makefile = (REPOSITORY / "Makefile").read_text()
    rule = makefile[makefile.index("$(READY): constraints.txt") : makefile.index("@touch $@")]
    found = installs(recipe()[1]["post"])
    assert found == installs(rule)
    assert len(found) == 2
    assert found[0][-1] == "torch"
    assert all(command[command.index("-c") + 1] == "constraints.txt" for command in found)


def test_the_package_supports_its_python() -> None:
    keys, _ = recipe()
    assert keys["Bootstrap"] == "docker"
    image, version = re.fullmatch(r"(\w+):(\d+\.\d+)-slim-bookworm", keys["From"]).groups()  # type: ignore[union-attr]
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["requires-python"]
    lowest = tuple(int(part) for part in wanted.removeprefix(">=").split("."))
    assert image == "python"
    assert tuple(int(part) for part in version.split(".")) >= lowest[:2]  # the tag 3.11 is the newest 3.11 release


def test_it_copies_exactly_the_files_the_build_reads() -> None:
    _, sections = recipe()
    copied = dict(line.split() for line in sections["files"].splitlines() if line.strip())
    assert all((REPOSITORY / name).exists() for name in copied)
    assert all(target == f"/opt/cenbench/{name}" for name, target in copied.items())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {"constraints.txt", "pyproject.toml", "cenbench", project["readme"], "LICENSE"} == set(copied)


def test_its_sections_are_known_to_apptainer() -> None:
    assert set(recipe()[1]) == SECTIONS


@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_its_scripts_are_valid_shell(name: str) -> None:
    subprocess.run(["sh", "-n"], input=recipe()[1][name], text=True, check=True)


def test_the_checkouts_code_takes_precedence_over_the_installed_copy() -> None:
    script = f"unset PYTHONPATH; cd /tmp; {recipe()[1]['environment']}\necho $PYTHONPATH; echo $PATH"
    lines = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == "/tmp"
    assert lines[1].startswith("/opt/venv/bin:")
