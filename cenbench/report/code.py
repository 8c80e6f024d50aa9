"""Digest of the code and templates that render the reports. When it changes, they are rendered again; no cell runs."""

from __future__ import annotations

from cenbench.files import digest, sha256_file
from cenbench.records.fingerprint import code_digest
from cenbench.report.environment import FOLDER


def report_code() -> str:
    """SHA-256 (hex) of the code behind `cenbench.report.pages` and of every template."""
    code = code_digest(("cenbench.report.pages",), with_marked=True)
    return digest([code, *map(sha256_file, sorted(FOLDER.iterdir()))])
