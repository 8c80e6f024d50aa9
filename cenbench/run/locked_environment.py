"""Whether this environment is the locked one: the pins of constraints.txt against installed packages. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from cenbench.files import sha256_file

LOCK = "constraints.txt"


@dataclass(frozen=True)
class LockComparison:
    """The lock compared with an environment. Package names are canonical (PEP 503)."""

    sha256: str | None
    """SHA-256 (hex) of constraints.txt; None if the checkout has no such file."""
    differs: Mapping[str, str]
    """package -> `2.1.0, locked 2.0.0`, for packages installed in another version; a line that is no pin -> why."""
    absent: tuple[str, ...]
    """Locked packages that are not installed: an environment may leave out the development tools."""

    @property
    def holds(self) -> bool:
        """Whether every installed package that the lock names has the version it names."""
        return self.sha256 is not None and not self.differs

    def as_dict(self) -> dict[str, Any]:
        """For provenance.json."""
        return {"locked": self.holds, "constraints_sha256": self.sha256, "differs": dict(self.differs)}


def compare_with_lock(root: Path, installed: Mapping[str, str] | None = None) -> LockComparison:
    """Compare `installed` (name -> version; by default this interpreter's packages) with `root`/constraints.txt."""
    path = root / LOCK
    if not path.exists():
        return LockComparison(None, {}, ())
    found = installed_packages() if installed is None else installed
    differs: dict[str, str] = {}
    absent = []
    for line in _lines(path.read_text(encoding="utf-8")):
        try:
            pin = Requirement(line)
        except InvalidRequirement:
            differs[line] = "not a requirement that pip could read"
            continue
        name = canonicalize_name(pin.name)
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        if name not in found:
            absent.append(name)
        elif not _satisfies(found[name], pin):
            differs[name] = f"{found[name]}, locked {str(pin.specifier).removeprefix('==')}"
    return LockComparison(sha256_file(path), differs, tuple(absent))


def _lines(text: str) -> Iterator[str]:
    """The lines of a constraints file, without comments."""
    for line in text.splitlines():
        if pin := line.partition("#")[0].strip():
            yield pin


def _satisfies(version: str, pin: Requirement) -> bool:
    """A local part is passed over: torch 2.13.0+cpu is a build of the locked 2.13.0."""
    try:
        return pin.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


@cache
def installed_packages() -> dict[str, str]:
    """package -> version, of every distribution this interpreter can import; the first on the path counts."""
    found: dict[str, str] = {}
    for distribution in distributions():
        name, version = _name_and_version(distribution)
        if name:  # a half-removed package has none
            found.setdefault(canonicalize_name(name), version)
    return found


def _name_and_version(distribution: Distribution) -> tuple[str | None, str]:
    """Read from the first lines of its METADATA: parsing all of it, for every package, takes 0.2 s of each cell."""
    header = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    name, version = (re.search(rf"^{key}: *(\S+) *$", header, re.MULTILINE) for key in ("Name", "Version"))
    if name and version:
        return name[1], version[1]
    return distribution.metadata["Name"], distribution.version
