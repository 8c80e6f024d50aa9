"""A digest of the code that can change a number: everything that some functions can reach, and nothing else.

Static: nothing is imported, sources are parsed. `cenbench.records.reached` defines what counts as reached. No name of a
module or file enters a digest, and no wording (`cenbench.records.normal_form`), so both can change freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path

from cenbench.files import digest
from cenbench.records.closure import Closures
from cenbench.records.code_cache import CodeCache
from cenbench.records.normal_form import PACKAGE
from cenbench.records.reached import Reached
from cenbench.records.references import Package
from cenbench.records.sources import Sources

Chosen = Mapping[str, tuple[str, ...]]
"""Prefix of modules that are loaded by a computed name -> the rest of the names that are meant."""


def code_digest(
    entries: tuple[str, ...], chosen: Chosen | None = None, *, with_marked: bool = False, root: Path | None = None
) -> str:
    """SHA-256 (hex) of everything that `entries` reach. Raises ValueError for an entry that is not in the package.

    An entry is the dotted name of a function; of a module, which then counts as a whole; or `module.*` for a module
    that is passed to the code as an object, so that what the code asks it for counts. `chosen` gives the modules that
    are meant where some are loaded by a computed name. `with_marked` includes modules marked as changing no number.
    `root` is the folder that contains the package, by default this one.
    """
    code = _package_code(root or Path(__file__).parents[2], with_marked)
    return code.digest(entries, chosen or {})


@cache
def _package_code(root: Path, with_marked: bool) -> PackageCode:
    return PackageCode(root, with_marked=with_marked)


class PackageCode:
    """The package below a folder, and the known digests of exactly these sources."""

    def __init__(self, root: Path, *, with_marked: bool = False) -> None:
        self._sources, self._with_marked = Sources(root), with_marked
        self._cache = CodeCache(root / PACKAGE, "digests", self._sources.sha256)
        self._known = self._cache.read()

    def digest(self, entries: tuple[str, ...], chosen: Chosen) -> str:
        key = digest([entries, chosen, self._with_marked])
        if key not in self._known:
            self._known[key] = self.reached(entries, chosen).digest()
            self.save()
        return str(self._known[key])

    def save(self) -> None:
        """Keep the results for the next process."""
        self._cache.write(self._known)
        self._sources.save()

    def reached(self, entries: tuple[str, ...], chosen: Chosen) -> Reached:
        """Everything that the entries reach."""
        reached = Reached(self._closures, chosen)
        reached.follow(entries)
        return reached

    @cached_property
    def _closures(self) -> Closures:
        return Closures(Package(self._sources, with_marked=self._with_marked))
