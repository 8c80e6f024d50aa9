"""A digest of the code that can change a number: the import closure of given modules, without comments and docstrings.

Torch-free and static: nothing is imported, sources are parsed (`cenbench.records.sources`). Modules that cannot change
a number are left out, else rewording an error message would train everything again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cenbench.files import digest
from cenbench.records.sources import Sources

CANNOT_CHANGE_NUMBERS = frozenset(
    {
        "cenbench",
        "cenbench.errors",
        "cenbench.file_lock",
        "cenbench.files",
        "cenbench.strict_json",
        # What a cell asks for is hashed by value in its id.
        "cenbench.matrix",
        "cenbench.matrix.cell",
        "cenbench.matrix.methods",
        "cenbench.matrix.specs",
        # Which bytes a dataset has is hashed in its manifest.
        "cenbench.data",
        "cenbench.data.manifest",
        "cenbench.data.prepared",
        "cenbench.paths",
        "cenbench.records.fingerprint",
        "cenbench.train.progress",
        "cenbench.records.sources",
    }
)


def code_digest(entries: tuple[str, ...], root: Path | None = None) -> str:
    """SHA-256 (hex) over the modules that `entries` (dotted names) import, directly or not, inside the package.

    `root` is the folder that holds the package; by default the one this file belongs to.
    """
    sources = _sources(root or Path(__file__).parents[2])
    modules = sorted(_closure(entries, sources) - CANNOT_CHANGE_NUMBERS)
    found = digest({name: sources[name].code for name in modules})
    sources.remember()
    return found


def _closure(entries: tuple[str, ...], sources: Sources) -> set[str]:
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(sources.imported(name))
    return found


@cache
def _sources(root: Path) -> Sources:
    return Sources(root)
