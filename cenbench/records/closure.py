"""Everything that a definition refers to, and everything that importing a module runs; computed once per process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from cenbench.records.references import Node, Package, Target

Loaded = Callable[[str], list[Target]]
"""Prefix -> what is used of the modules whose names start with it."""


class Closure(NamedTuple):
    """Everything that a definition refers to, directly or not."""

    nodes: frozenset[Node]
    types: frozenset[Node]
    """Classes of objects that may be passed to it, and models that it makes itself."""
    attributes: frozenset[str]
    """What it may ask them for; `*` stands for everything."""
    modules: frozenset[str]
    """Modules imported for it, without those that they import in turn."""
    prefixes: frozenset[str]
    """Beginnings of the names of modules that it loads by a computed name."""


class Imported(NamedTuple):
    """What importing a module leads to."""

    modules: frozenset[str]
    """The module and what it imports, directly or not."""
    runs: frozenset[Node]
    """Definitions that do more than bind their names on import."""
    external: frozenset[str]
    """Other packages, the standard library left out."""


class Closures:
    """The closures of a package."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._closures: dict[Node, Closure] = {}
        self._imported: dict[str, Imported] = {}
        self._forms: dict[Node, str] = {}

    def of(self, root: Node) -> Closure:
        """The closure of a definition, without what it loads by computed names."""
        if root not in self._closures:
            order, prefixes = {root: None}, set()
            for node in (waiting := [root]):
                for target in node.targets:
                    prefixes.add(target.prefix)
                    for other in target.nodes:
                        if other not in order:
                            order[other] = None
                            waiting.append(other)
            self._closures[root] = self._closure(frozenset(order), frozenset(prefixes - {""}))
        return self._closures[root]

    def _closure(self, nodes: frozenset[Node], prefixes: frozenset[str]) -> Closure:
        absolute = self.package.absolute_name
        models = (model for node in nodes for target in node.targets for model in target.models)
        made = {base for node in nodes if node.is_model for base in node.as_type}
        asked = {base for model in models for base in model.as_type}
        imports = {absolute(node.module, name) for node in nodes for name in node.definition.form.imports}
        return Closure(
            nodes,
            types=frozenset(made | asked).union(*(node.types for node in nodes)),
            attributes=frozenset().union(*(node.definition.form.attributes for node in nodes)),
            modules=frozenset({node.module for node in nodes} | {self.package.split(name)[0] for name in imports}),
            prefixes=prefixes,
        )

    def imported(self, module: str) -> Imported:
        """What importing a module leads to."""
        if module not in self._imported:
            found: dict[str, None] = {module: None}
            runs: set[Node] = set()
            external: set[str] = set()
            for name in (waiting := [module]):
                if self.package.leaves_out(name):
                    continue
                source = self.package.sources[name]
                external.update(source.external)
                runs.update(node for node in self.package.nodes(name) if node.runs_at_import)
                runs.update(node for star in source.stars for node in self._star(name, star).nodes)
                imports = [self.package.absolute_name(name, imported) for imported in source.imports]
                for other in (*(self.package.split(imported)[0] for imported in imports), name.rpartition(".")[0]):
                    if other and other not in found:
                        found[other] = None
                        waiting.append(other)
            self._imported[module] = Imported(frozenset(found), frozenset(runs), frozenset(external))
        return self._imported[module]

    def _star(self, module: str, star: str) -> Target:
        """A module of `import *`, whole: which of its names are used is not known."""
        return self.package.resolve(module, f"={star}")

    def form(self, root: Node, loaded: Loaded) -> str:
        """SHA-256 (hex) of a definition and all it refers to.

        Definitions are numbered in the order in which they are first referred to, so no name is needed, and using
        another one in its place changes the digest.
        """
        if root in self._forms:
            return self._forms[root]
        numbers = {root: 0}
        forms: list[str] = []
        depends = False
        for node in (waiting := [root]):
            targets: list[str] = []
            for target in node.targets:
                depends = depends or bool(target.prefix)
                for text, nodes, _, _ in loaded(target.prefix) if target.prefix else (target,):
                    for other in nodes:
                        if other not in numbers:
                            numbers[other] = len(numbers)
                            waiting.append(other)
                    targets.append(f"{text} {[numbers[other] for other in nodes]}")
            forms.append("\n".join((node.definition.form.shape, *targets)))
        form = hashlib.sha256("\n\n".join(forms).encode()).hexdigest()
        if not depends:
            self._forms[root] = form
        return form
