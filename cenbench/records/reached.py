"""What code reaches: where it begins, all it may run.

* The definitions it refers to, and those that these refer to.
* Of objects that it is given, the members that it asks for by name: annotations say of which classes they are.
* Of modules that it loads by a computed name, likewise: of those that are chosen, else of all that may be meant.
* What importing the modules runs.

Left out are modules that say that they change no number (`cenbench.records.definitions.MARK`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from cenbench.files import digest
from cenbench.records.closure import Closures
from cenbench.records.normal_form import EVERYTHING
from cenbench.records.references import Node, Target

_OBJECT = ".*"


class _Root(NamedTuple):
    """Something that is reached without being referred to: an entry, what an import runs, a member of an object."""

    node: Node
    owner: Node | None = None
    """The object's class."""
    asked_as: str = ""

    @property
    def label(self) -> str:
        return f"{self.owner.name if self.owner else ''}.{self.asked_as}"


class Reached:
    """What is reached from some entries."""

    def __init__(self, closures: Closures, chosen: Mapping[str, tuple[str, ...]]) -> None:
        self._package, self._closures, self._chosen = closures.package, closures, chosen
        self.nodes: set[Node] = set()
        self.modules: set[str] = set()
        """Modules that are imported."""
        self._roots: dict[_Root, None] = {}
        """What the digest is made of, with all that it refers to."""
        self._types: set[Node] = set()
        """Classes of which objects are given."""
        self._attributes: set[str] = set()
        self._prefixes: set[str] = set()
        self._external: set[str] = set()

    def follow(self, entries: Iterable[str]) -> None:
        """Reach all that the entries (see `code_digest`) may run. ValueError for one that is not in the package."""
        for entry in entries:
            name = entry.removesuffix(_OBJECT)
            module, inside = self._package.split(name)
            if not module or (inside and inside[0] not in self._package.names(module)):
                raise ValueError(f"{entry} is not in the package")
            for node in self._package.resolve("", f"={name}").nodes if name == entry else ():
                self._add_root(_Root(node))
        given = [entry.removesuffix(_OBJECT) for entry in entries if entry.endswith(_OBJECT)]
        for module in given:
            self._import(module)
        before = -1
        while before != len(self._roots) + len(self.nodes):
            before = len(self._roots) + len(self.nodes)
            made = frozenset(self.nodes)
            for type_ in list(self._types):
                self._ask(type_, is_made=type_ in made)
            for module in given:
                for name, target in self._asked_of(module):
                    for node in target.nodes:
                        self._add_root(_Root(node, asked_as=name))
            for prefix in list(self._prefixes):
                for target in self._loaded(prefix):
                    for node in target.nodes:
                        self._absorb(node)

    def digest(self) -> str:
        """SHA-256 (hex)."""
        # A class that turned out to be made here counts as a whole, but for a model's fields.
        counted = (root for root in self._roots if root.owner not in self.nodes or root.node.definition.is_field)
        forms = sorted(f"{root.label} {self._closures.form(root.node, self._loaded)}" for root in counted)
        return digest([forms, sorted(self._external)])

    def _add_root(self, root: _Root) -> None:
        if root not in self._roots:
            self._roots[root] = None
            self._absorb(root.node)

    def _absorb(self, node: Node) -> None:
        closure = self._closures.of(node)
        self.nodes |= closure.nodes
        self._types |= closure.types
        self._attributes |= closure.attributes
        for prefix in closure.prefixes - self._prefixes:
            self._prefixes.add(prefix)
            for module in self._meant(prefix):
                self._import(module)
        for module in closure.modules - self.modules:
            self._import(module)

    def _meant(self, prefix: str) -> list[str]:
        """The modules that are chosen where names begin so; all that may be meant where none is."""
        chosen = [f"{prefix}{rest}" for rest in self._chosen.get(prefix, ())]
        if chosen and all(name in self._package.sources for name in chosen):
            return sorted(chosen)
        return [name for name in self._package.sources if name.startswith(prefix)]

    def _loaded(self, prefix: str) -> list[Target]:
        """What the code may use of modules that it loads, each with its name."""
        meant = self._meant(prefix)
        if prefix == EVERYTHING[1:]:  # code may be run that is not even in the package
            return [Target(module, (self._package.whole(module),)) for module in meant]
        shown = {module: module.removeprefix(prefix) if len(meant) > 1 else "" for module in meant}
        return [
            target._replace(text=f"{shown[module]}.{name} {target.text}")
            for module in meant
            for name, target in self._asked_of(module)
        ]

    def _import(self, module: str) -> None:
        imported = self._closures.imported(module)
        self.modules |= imported.modules
        self._external |= imported.external
        for node in imported.runs:
            self._add_root(_Root(node))

    def _ask(self, type_: Node, *, is_made: bool) -> None:
        """Add what the code reached so far may ask of an object of a class.

        Of a class whose objects it makes itself, all members are reached anyway, but for a model's fields.
        """
        if is_made and not type_.is_model:
            return
        if type_.is_called_by_others:
            self._add_root(_Root(type_))
            return
        members = type_.asked_fields if is_made else type_.asked
        for name in self._asked(members):
            for member in members[name]:
                self._add_root(_Root(member, type_, member.name))

    def _asked_of(self, module: str) -> list[tuple[str, Target]]:
        """What the code may ask a module for."""
        names = self._asked(self._package.names(module))
        return [(name, self._package.resolve(module, name)) for name in sorted(names)]

    def _asked(self, names: Collection[str]) -> set[str]:
        """Those of `names` that the code may ask for. Python itself asks for what is under the empty one."""
        return set(names) if "*" in self._attributes else set(names) & (self._attributes | {""})
