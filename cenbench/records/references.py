"""What references mean: from a name in one module to its definition, wherever in the package that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from cenbench.records.definitions import TYPE_OF, Definition
from cenbench.records.normal_form import PACKAGE, NormalForm, of_package
from cenbench.records.sources import Sources

_MODEL = frozenset({"pydantic.BaseModel", "pydantic.RootModel"})
_ONLY_CALLS_DUNDERS = frozenset(
    (
        "pydantic.BaseModel", "pydantic.RootModel", "typing.Protocol", "typing.NamedTuple", "typing.Generic",
        "abc.ABC", "enum.Enum", "enum.IntEnum", "enum.StrEnum", "object",
    )
)  # fmt: skip
"""External base classes that call only dunder methods of an object, and methods decorated for them."""
_AT_SUBCLASSING = frozenset({"__init_subclass__", "__set_name__"})
_AT_CONSTRUCTION = frozenset({"__init__", "__new__", "__post_init__"}) | _AT_SUBCLASSING


@dataclass(eq=False)
class Node:
    """A definition in its module."""

    definition: Definition
    module: str
    package: Package = field(repr=False)

    @cached_property
    def name(self) -> str:
        """The names that it binds; empty if it is only run."""
        return " ".join(self.definition.names)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What its code refers to, in order, and the members of a class.

        Fields of a pydantic model are not among them: code that uses a field asks for it by name.
        """
        found = tuple(self.package.resolve(self.module, ref) for ref in self.definition.form.refs)
        members = [node for node in self.members if not (node.is_type or (self.is_model and node.definition.is_field))]
        return (*found, *(Target(node.name, (node,)) for node in members))

    @cached_property
    def types(self) -> frozenset[Node]:
        """The classes that its annotations name, and their bases."""
        refs = self.definition.form.types
        meant = {node for ref in refs for node in self.package.resolve(self.module, ref).nodes}
        return frozenset().union(*(node.as_type for node in meant))

    @cached_property
    def as_type(self) -> frozenset[Node]:
        """The classes that an annotation means by its name: a class and its bases, or those in an alias."""
        if self.definition.is_class:
            return frozenset({self}).union(*(node.as_type for node in self.base_nodes))
        if self.definition.at_import.runs or not self.definition.names:
            return frozenset()
        self.__dict__["as_type"] = frozenset()  # ends the recursion of an alias that refers to itself
        meant = (node for target in self.targets for node in target.nodes)
        return self.types.union(*(node.as_type for node in meant))

    @cached_property
    def members(self) -> tuple[Node, ...]:
        return tuple(Node(member, self.module, self.package) for member in self.definition.members)

    @cached_property
    def member_names(self) -> frozenset[str]:
        return frozenset(name for member in self.definition.members for name in member.names)

    @cached_property
    def asked(self) -> dict[str, list[Node]]:
        """Members of a class by the name that code asks for; under the empty name those that Python itself uses."""
        return _by_asked_name(member for member in self.members if not member.is_type)

    @cached_property
    def asked_fields(self) -> dict[str, list[Node]]:
        """Fields of a model, and their types, likewise."""
        return _by_asked_name(member for member in self.members if member.definition.is_field)

    @property
    def is_type(self) -> bool:
        """Whether it is the type of a field."""
        return self.name.startswith(TYPE_OF)

    @cached_property
    def bases(self) -> tuple[Target, ...]:
        return tuple(self.package.resolve(self.module, ref) for ref in self.definition.bases)

    @property
    def base_nodes(self) -> Iterator[Node]:
        return (node for base in self.bases for node in base.nodes if node.definition.is_class)

    @cached_property
    def is_model(self) -> bool:
        """Whether it is a pydantic model, which reads the types of its fields when an object is made."""
        is_own = any(base.text in _MODEL for base in self.bases if not base.nodes)
        return is_own or any(node.is_model for node in self.base_nodes)

    @cached_property
    def is_called_by_others(self) -> bool:
        """Whether code outside the package may call its methods by name, as torch does with `forward`."""
        is_own = any(not base.nodes and base.text not in _ONLY_CALLS_DUNDERS for base in self.bases)
        return is_own or any(node.is_called_by_others for node in self.base_nodes)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is a class that runs no code of its own when it is instantiated or subclassed."""
        inherited = all(node.is_plain for node in self.base_nodes)
        return self.definition.is_class and not self.member_names & _AT_CONSTRUCTION and inherited

    @cached_property
    def runs_at_import(self) -> bool:
        """Whether importing its module does more than bind its name."""
        runs, calls = self.definition.at_import
        called = (node for ref in calls for node in self.package.resolve(self.module, ref).nodes)
        return runs or not all(node.is_plain for node in called) or any(base._registers for base in self.base_nodes)

    @property
    def _registers(self) -> bool:
        return bool(self.member_names & _AT_SUBCLASSING) or any(base._registers for base in self.base_nodes)


class Target(NamedTuple):
    """What a reference means: definitions, or something outside the package, named by text."""

    text: str
    """Which of the definition's names is meant and what it is asked for; or the dotted name of something external."""
    nodes: tuple[Node, ...] = ()
    models: tuple[Node, ...] = ()
    """Pydantic models that the code only asks about: they count like annotations."""
    prefix: str = ""
    """The beginning of the names of modules that may be loaded."""


class Package:
    """The definitions of a package, and what references mean in it."""

    def __init__(self, sources: Sources, *, with_marked: bool) -> None:
        self.sources, self._with_marked = sources, with_marked
        self._nodes: dict[str, tuple[Node, ...]] = {}
        self._by_name: dict[str, dict[str, tuple[Node, ...]]] = {}
        self._resolved: dict[tuple[str, str], Target] = {}
        self._groups: dict[str, Node] = {}

    def nodes(self, module: str) -> tuple[Node, ...]:
        """The definitions of a module."""
        if module not in self._nodes:
            found = self.sources[module].definitions
            self._nodes[module] = tuple(Node(definition, module, self) for definition in found)
        return self._nodes[module]

    def named(self, module: str, name: str) -> tuple[Node, ...]:
        """The definitions of a module that bind a name."""
        if module not in self._by_name:
            found: dict[str, tuple[Node, ...]] = {}
            for node in self.nodes(module):
                for bound in node.definition.names:
                    found[bound] = (*found.get(bound, ()), node)
            self._by_name[module] = found
        return self._by_name[module].get(name, ())

    def resolve(self, module: str, ref: str) -> Target:
        """What a reference (see `NormalForm`) means in a module."""
        key = module, ref
        if key not in self._resolved:
            self._resolved[key] = self._resolve(module, ref)
        return self._resolved[key]

    def _resolve(self, module: str, ref: str) -> Target:
        if ref.startswith("?"):
            target = self.resolve(module, ref[1:])
            models = tuple(node for node in target.nodes if node.definition.is_class and node.is_model)
            return Target(" ".join(model.name for model in models), models=models) if models else target
        if ref.startswith("$"):
            return self._by_text(ref[1:])
        if ref.startswith("="):
            return self._absolute(self.absolute_name(module, ref[1:]), ())
        return self._in_module(module, ref.split("."), ())

    def _absolute(self, dotted: str, seen: tuple[str, ...]) -> Target:
        """What a dotted name means that starts with a top-level package."""
        module, rest = self.split(dotted)
        if not module:
            return Target(dotted)
        if self.leaves_out(module):
            return Target(".".join(("no number", *rest)))
        return self._in_module(module, rest, seen) if rest else Target("", (self.whole(module),))

    def _in_module(self, module: str, parts: list[str], seen: tuple[str, ...]) -> Target:
        """What `a.b.c` means in a module."""
        name, *rest = parts
        if nodes := self.named(module, name):
            places = [str(node.definition.names.index(name)) for node in nodes]
            return Target(".".join((*places, *rest)), nodes)
        imported, key = self.sources[module].imported, f"{module} {name}"
        if name in imported and key not in seen:
            dotted = self.absolute_name(module, imported[name])
            return self._absolute(".".join((dotted, *rest)), (*seen, key))
        return Target(".".join(parts), (self.whole(module),))  # bound in a way that is not known here

    def _by_text(self, dotted: str) -> Target:
        """What text may mean: a module, something in one, or the beginning of names of modules."""
        module, rest = self.split(dotted)
        is_whole_name = bool(module) and module != PACKAGE and not dotted.endswith(".")
        if is_whole_name and (not rest or self.named(module, rest[0])):
            return self._absolute(dotted, ())
        return Target("", prefix=dotted) if any(name.startswith(dotted) for name in self.sources) else Target(dotted)

    def names(self, module: str) -> set[str]:
        """The names that a module can be asked for.

        All that it defines or imports from the package, and imports from elsewhere that it does not use itself.
        """
        source = self.sources[module]
        used = {ref.lstrip("?").partition(".")[0] for ref in _all_refs(source.definitions)}
        imported = {name for name, target in source.imported.items() if name not in used or of_package(target)}
        return imported | {name for definition in source.definitions for name in definition.names}

    def whole(self, module: str) -> Node:
        """Everything that a module can be asked for, by name."""
        names = sorted(self.names(module))
        return self._group(f"={module}", names, [f"{module}.{name}" for name in names])

    def leaves_out(self, module: str) -> bool:
        """Whether a module is left out because it is marked."""
        return self.sources[module].is_marked and not self._with_marked

    def split(self, dotted: str) -> tuple[str, list[str]]:
        """The module that a dotted name starts with, empty if it is outside the package, and the rest of the name."""
        parts = dotted.rstrip(".").split(".")
        for length in range(len(parts) if parts[0] == PACKAGE else 0, 0, -1):
            if (module := ".".join(parts[:length])) in self.sources:
                return module, parts[length:]
        return "", parts

    def absolute_name(self, module: str, dotted: str) -> str:
        """A name imported in `module`, without leading dots."""
        if not dotted.startswith("."):
            return dotted
        name = dotted.lstrip(".")
        up = len(dotted) - len(name) - self.sources.is_package(module)
        return ".".join((*module.split(".")[: -up or None], name))

    def _group(self, key: str, names: list[str], dotted: list[str]) -> Node:
        """Several things under their names."""
        if key not in self._groups:
            form = NormalForm(" ".join(names), tuple(f"={name}" for name in dotted), (), (), ())
            self._groups[key] = Node(Definition((), form), PACKAGE, self)
        return self._groups[key]


def _by_asked_name(members: Iterable[Node]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for member in members:
        for name in member.definition.names or ("",):
            asked = name.removeprefix(TYPE_OF)
            found.setdefault("" if asked.startswith("__") else asked, []).append(member)
    return found


def _all_refs(definitions: Iterable[Definition]) -> Iterator[str]:
    for definition in definitions:
        yield from (*definition.form.refs, *definition.form.types)
        yield from _all_refs(definition.members)
