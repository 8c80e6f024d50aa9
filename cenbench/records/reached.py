"""Everything that code may run, from given entry points:

* the definitions that it refers to, directly or not;
* of objects passed to it, the members that it asks for by name; annotations give their classes;
* of modules that it loads by a computed name, likewise: of the chosen ones, or of all that may be meant;
* what importing all these modules runs.

Modules marked as changing no number are left out (`cenbench.records.definitions.MARK`).
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
    """Something reached without a reference: an entry, a statement run by an import, a member of a given object."""

    node: Node
    owner: Node | None = None
    """The object's class."""
    asked_as: str = ""

    @property
    def label(self) -> str:
        return f"{self.owner.name if self.owner else ''}.{self.asked_as}"


class Reached:
    """Everything that is reached from some entry points."""

    def __init__(self, closures: Closures, chosen: Mapping[str, tuple[str, ...]]) -> None:
        self._package, self._closures, self._chosen = closures.package, closures, chosen
        self.nodes: set[Node] = set()
        self.modules: set[str] = set()
        """The modules that are imported."""
        self._roots: dict[_Root, None] = {}
        """What the digest covers, each with everything it refers to."""
        self._made: set[Node] = set()
        """What is reached without a given object. Where a class's own member makes its objects, that counts for none of
        the others: the member itself is reached through an object."""
        self._types: set[Node] = set()
        """Classes of given objects."""
        self._attributes: set[str] = set()
        self._attributes_asked: frozenset[str] = frozenset()
        """Those known at the start of the round."""
        self._prefixes: set[str] = set()
        self._external: set[str] = set()

    def follow(self, entries: Iterable[str]) -> None:
        """Reach everything that the entries (see `code_digest`) may run. Raises ValueError for an unknown one."""
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
        # In rounds, each based on what the one before found, so that the order of sets within a round does not matter.
        known: frozenset[Node] = frozenset()
        while known != self.nodes:
            known, self._attributes_asked = frozenset(self.nodes), frozenset(self._attributes)
            made = frozenset(self._made)
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
        # A class that the code instantiates itself counts as a whole, except for the fields of a model.
        counted = (root for root in self._roots if root.owner not in self._made or root.node.definition.is_field)
        forms = sorted(f"{root.label} {self._closures.form(root.node, self._loaded)}" for root in counted)
        return digest([forms, sorted(self._external)])

    def _add_root(self, root: _Root) -> None:
        if root not in self._roots:
            self._roots[root] = None
            self._absorb(root.node)
            if root.owner is None:
                self._made |= self._closures.of(root.node).nodes

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
        """The modules chosen for a prefix; all that may be meant if none is."""
        chosen = [f"{prefix}{rest}" for rest in self._chosen.get(prefix, ())]
        if chosen and all(name in self._package.sources for name in chosen):
            return sorted(chosen)
        return [name for name in self._package.sources if name.startswith(prefix)]

    def _loaded(self, prefix: str) -> list[Target]:
        """What the code may use of the modules that it loads, by name."""
        meant = self._meant(prefix)
        if prefix == EVERYTHING[1:]:  # text that is run as code may use anything
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
        """Add what the code reached so far may ask an object of this class for.

        If the code makes such objects itself, all members are reached already, except for the fields of a model.
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
        """What the code may ask a module for, by name."""
        names = self._asked(self._package.names(module))
        return [(name, self._package.resolve(module, name)) for name in sorted(names)]

    def _asked(self, names: Collection[str]) -> set[str]:
        """The names among these that the code may ask for; the empty name stands for what Python itself uses."""
        return set(names) if "*" in self._attributes_asked else set(names) & (self._attributes_asked | {""})
