"""Whether this environment is the locked one: what constraints.txt pins against what is installed. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cenbench.files import sha256_file

LOCK = "constraints.txt"


@dataclass(frozen=True)
class Locked:
    """The lock compared with an environment. Names are normalised (PEP 503), versions without their `+cpu`."""

    sha256: str | None
    """Of constraints.txt; None where the checkout has none."""
    differs: Mapping[str, str]
    """package -> `2.1.0, locked 2.0.0`, for packages installed in another version than the locked one."""
    absent: tuple[str, ...]
    """Locked packages that are not installed: an environment may leave the tools of development out."""

    @property
    def holds(self) -> bool:
        """Whether everything installed that the lock names has the version it names."""
        return self.sha256 is not None and not self.differs

    def as_dict(self) -> dict[str, Any]:
        """For provenance.json."""
        return {"locked": self.holds, "constraints_sha256": self.sha256, "differs": dict(self.differs)}


def compare_with_lock(root: Path, installed: Mapping[str, str] | None = None) -> Locked:
    """Compare `installed` (name -> version; by default this interpreter's packages) with `root`/constraints.txt."""
    path = root / LOCK
    if not path.exists():
        return Locked(None, {}, ())
    found = installed_packages() if installed is None else installed
    pins = read_pins(path.read_text(encoding="utf-8"))
    differs = {
        name: f"{found[name]}, locked {pin}"
        for name, pin in pins.items()
        if name in found and _public(found[name]) != _public(pin)
    }
    return Locked(sha256_file(path), differs, tuple(name for name in pins if name not in found))


def read_pins(text: str) -> dict[str, str]:
    """package -> version, of the `name==version` lines of a constraints file."""
    lines = (line.split("#")[0].split(";")[0].strip() for line in text.splitlines())
    pinned = (line.split("==", 1) for line in lines if "==" in line)
    return {normalised(name.split("[")[0]): version.strip() for name, version in pinned}


@cache
def installed_packages() -> dict[str, str]:
    """package -> version, of every distribution this interpreter can import; the first on the path counts."""
    found: dict[str, str] = {}
    for each in distributions():
        name = each.metadata["Name"]
        if name:  # a half-removed package has none
            found.setdefault(normalised(name), each.version)
    return found


def normalised(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _public(version: str) -> str:
    """Without the local part: torch 2.13.0+cpu is the build for this machine of the locked 2.13.0."""
    return version.split("+")[0]
