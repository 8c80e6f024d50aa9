"""Ctrl-C ends a run with how to resume it: no error of make, and no cell called failed because it was interrupted."""

from __future__ import annotations

import subprocess
import sys

from checkout import REPOSITORY

INTERRUPTED = """
import logging, os, signal
from cenbench.schedule.interruption import Interruption
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
