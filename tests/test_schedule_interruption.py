"""Ctrl-C ends a run with how to resume it: no error of make, and no cell called failed because it was interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import REPOSITORY

INTERRUPTED = """
import logging, os, signal
from cenbench.schedule.interruption import Interruption
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
snakemake = logging.getLogger("snakemake.logging")
snakemake.addHandler(logging.StreamHandler())
Interruption().watch()
snakemake.error("before")
try:
    if PRESSED:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
except KeyboardInterrupt:
    snakemake.warning("ending the jobs")
snakemake.error("job failed")
"""


WORK = "trap '{end}' INT\necho working\nwhile :; do sleep 0.05; done\n"
"""A program that ends at Ctrl-C. Its children are short: one forked just as the signal comes does not see it."""


def lines_of(pressed: bool) -> list[str]:
    code = INTERRUPTED.replace("PRESSED", str(pressed))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    return done.stderr.splitlines()


def test_interrupted_jobs_are_not_shown_as_errors_and_the_last_line_says_how_to_resume() -> None:
    before, ending, last = lines_of(pressed=True)
    assert (before, ending) == ("before", "ending the jobs")
    assert last.startswith("interrupted: run the same command to resume")


def test_without_ctrl_c_errors_are_shown_and_nothing_is_said() -> None:
    assert lines_of(pressed=False) == ["before", "job failed"]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with this Makefile and an environment in which `snakemake` runs the text of `run.sh`."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, script in (("snakemake", '. ./run.sh "$@"'), ("cenbench", 'echo "cenbench $*"')):
        (programs / name).write_text(f"#!/bin/bash\n{script}\n")
        (programs / name).chmod(0o755)
    (programs.parent / ".ready").touch()
    return tmp_path


def make(folder: Path, target: str, script: str, *, interrupt: bool) -> tuple[int, str]:
    """Exit status and output of a target, which gets Ctrl-C once the program that it runs has printed `working`."""
    (folder / "run.sh").write_text(script)
    usual = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731  # it may be ignored in the background
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}  # of the make that runs the tests
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    process = subprocess.Popen(
        ["make", target], cwd=folder, env=environment, start_new_session=True, preexec_fn=usual, **pipe
    )
    assert process.stdout is not None
    output = ""
    while interrupt and "working" not in output.splitlines():
        output += process.stdout.readline()
    if interrupt:
        os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    return process.returncode, output + rest


def test_make_demo_ends_without_an_error_of_make(demo: Path) -> None:
    script = WORK.format(end="echo how to resume; exit 1")
    status, output = make(demo, "demo", script, interrupt=True)
    assert status == -signal.SIGINT
    assert "***" not in output and "Done" not in output
    assert output.splitlines()[-1] == "how to resume"
    assert output.splitlines()[0].startswith(".venv/bin/snakemake all_tables --config preset=demo")


def test_make_env_says_how_to_resume(demo: Path) -> None:
    (demo / ".venv" / ".ready").unlink()
    (demo / ".venv" / "bin" / "python").write_text("#!/bin/bash\n. ./run.sh\n")
    (demo / ".venv" / "bin" / "python").chmod(0o755)
    makefile = (demo / "Makefile").read_text()
    (demo / "Makefile").write_text(makefile.replace("$(PYTHON) -m venv $(VENV)", "@true"))
    script = WORK.format(end="exit 1")
    status, output = make(demo, "env", script, interrupt=True)
    assert status == -signal.SIGINT
    assert "GB to download" in output.splitlines()[0]
    assert output.splitlines()[-1] == "interrupted: run the same command to resume"
    assert not (demo / ".venv" / ".ready").exists()


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [("exit 1", 2, "Error 1"), ("exit 0", 0, "cenbench claims --write --preset demo\n\nDone.")],
)
def test_make_demo_otherwise_ends_as_its_snakemake_does(demo: Path, script: str, status: int, words: str) -> None:
    found, output = make(demo, "demo", script, interrupt=False)
    assert found == status
    assert words in output
