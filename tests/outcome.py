"""Everything that a run makes, as bytes that do not depend on when and where it ran, nor on interruptions."""

from __future__ import annotations

import re
from pathlib import Path

from safetensors import safe_open

DIFFERENT = {
    "results/cells/*/provenance.json": "times, durations, machine, revision: its own file for that reason",
    "results/state/*/lock": "the last process that ran the cell",
    "results/state/*/run.log": "a line per run, with its time",
    "results/logs/**/*": "Snakemake's and the cells' output, with times",
    "results/verified/*": "inode and times of large files",
    "**/*.lock": "empty files that processes lock",
    "**/.*.tmp": "what a process was writing when it was killed; never read",
}
"""Pattern -> why these files differ between two runs. All others are compared byte for byte."""

PROVENANCE = re.compile(rb"(<h2>Provenance</h2>).*?(<h2>Configuration</h2>)", re.DOTALL)
LOG = re.compile(rb"<h2>Log</h2><pre>.*?</pre>", re.DOTALL)
"""Parts of a cell's page that show two of these files."""

DAY = re.compile(rb'(?<="date": ")[0-9-]*(?=")|<time datetime="[0-9-]*">[0-9-]*</time>')
"""The day of the last run, on the card of a table or figure."""


def outcome(root: Path) -> dict[str, bytes]:
    """Name -> content of every file in data/prepared, results and reports that is the same in every run."""
    left_out = {path for pattern in DIFFERENT for path in root.glob(pattern)}
    found = {}
    for folder in ("data/prepared", "results", "reports"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path not in left_out:
                content = path.read_bytes()
                if path.match("reports/*/cells/*.html"):
                    content, parts = PROVENANCE.subn(rb"\1\2", LOG.sub(b"", content))
                    assert parts <= 1, path
                if path.match("reports/*/*.json") or path.match("reports/index.html"):
                    content = DAY.sub(b"", content)
                if path.match("results/features/*.safetensors"):
                    content = features(path)
                found[str(path.relative_to(root))] = content
    return found


def features(path: Path) -> bytes:
    """Metadata and tensors of a file of features: safetensors writes its metadata in any order."""
    with safe_open(path, framework="np") as file:
        lines = [f"{name} = {value}".encode() for name, value in sorted(file.metadata().items())]
        for name in sorted(file.keys()):
            array = file.get_tensor(name)
            lines += [f"{name} {array.dtype} {array.shape}".encode(), array.tobytes()]
    return b"\n".join(lines)


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Names that only one of the two has, or whose content differs."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
