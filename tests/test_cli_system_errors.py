"""What the file system refuses within a command is reported with its file, not as a bug with a traceback."""

from __future__ import annotations

import errno
import os

import pytest

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
