"""What the file system refuses within a command is reported with its file, not as a bug with a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import REPOSITORY

from cenbench.cli import main


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.EACCES, "accessible"), (errno.EROFS, "writable"), (errno.ENOSPC, "free space"), (errno.EIO, "disk"),
     (errno.ESTALE, "network file system"), (errno.ENAMETOOLONG, "shorter name")],
)  # fmt: skip
def test_an_error_that_names_a_file_is_an_error_of_the_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, fix: str
) -> None:
    def fails() -> None:
        raise OSError(number, os.strerror(number), "reports/demo/table7.html")

    monkeypatch.setattr(main, "app", fails)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"cenbench: table7.html cannot be accessed: {os.strerror(number)}")
    assert "file: reports/demo/table7.html" in shown
    assert fix in shown
    assert "Traceback" not in shown


def test_an_error_that_names_none_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise OSError("no errno, no file")

    monkeypatch.setattr(main, "app", fails)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 1
    assert "Traceback" in capsys.readouterr().err


CENBENCH = [sys.executable, "-m", "cenbench"]


@pytest.mark.parametrize("command", [["show", "table7", "--markdown"], ["plan"], ["--help"], ["plan", "--help"]])
def test_standard_output_on_a_full_disk_is_a_message(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*CENBENCH, *command], cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("cenbench: standard output could not be written: No space left on device\n")
    assert "Traceback" not in ended.stderr


def test_a_reader_that_closes_the_pipe_ends_the_command_as_sigpipe_would() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [*CENBENCH, "plan"], cwd=REPOSITORY, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_without_standard_output_a_command_succeeds() -> None:
    closed = subprocess.run(["bash", "-c", '"$@" >&-', "bash", *CENBENCH, "--version"], cwd=REPOSITORY, check=False)
    assert closed.returncode == 0
