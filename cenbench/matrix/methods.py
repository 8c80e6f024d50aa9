"""The fusion methods, as the files of `cenbench/nn/fusion` declare them. Parsed, not imported: no torch here."""
# changes no number: what a cell asks for is in its id, by value

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from cenbench.errors import UserError
from cenbench.matrix.declared import (
    check_defines,
    check_methods,
    check_named,
    constant_key,
    describe_constant,
    read_constants,
)

Acts = Literal["points", "norms", "nowhere"]
_DECLARED = ("LABEL", "ACTS", "MERGES", "INPUTS")
_FOLDER = Path(__file__).parents[1] / "nn" / "fusion"


@dataclass(frozen=True)
class Parameter:
    """A number that a method takes, its default, and the range it is from."""

    default: float
    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        bounds = (self.min, self.max, self.above, self.below)
        numbers = [value for value in (self.default, *bounds) if value is not None]
        if self.default is None or not all(type(value) in (int, float) for value in numbers):  # not True or False
            raise TypeError("a parameter's default and bounds are numbers")
        if not all(math.isfinite(value) for value in numbers):
            raise ValueError("a parameter's default and bounds are finite")
        if not self.accepts(self.default):
            raise ValueError(f"the default {self.default:g} is out of range ({self.range_text})")

    def accepts(self, value: float) -> bool:
        inclusive = (self.min is None or value >= self.min) and (self.max is None or value <= self.max)
        return inclusive and (self.above is None or value > self.above) and (self.below is None or value < self.below)

    @property
    def range_text(self) -> str:
        """The range in words."""
        bounds = (("at least", self.min), ("above", self.above), ("at most", self.max), ("below", self.below))
        return ", ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None) or "any number"


@dataclass(frozen=True)
class Method:
    """The declaration of a method's file; see `cenbench/nn/fusion/__init__.py`."""

    name: str
    label: str
    acts: Acts
    merges: bool
    min_inputs: int
    max_inputs: int | None
    fixed_mask: bool = False
    """Whether it exchanges under a fixed mask, which does not read the scaling factors."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """The method's own parameters by name."""

    @property
    def reads_factors(self) -> bool:
        """Whether it chooses channels by their scaling factors, which must then be private to a modality."""
        return self.acts == "norms" and not self.fixed_mask

    def accepts(self, modalities: int) -> bool:
        return modalities >= self.min_inputs and (self.max_inputs is None or modalities <= self.max_inputs)

    @property
    def inputs_text(self) -> str:
        """The allowed numbers of modalities, in words."""
        words = {1: "one modality", 2: "two modalities"}
        count = words.get(self.min_inputs, f"{self.min_inputs} modalities")
        return f"exactly {count}" if self.max_inputs == self.min_inputs else f"at least {count}"


@cache
def methods() -> dict[str, Method]:
    """Name -> method, sorted by name."""
    found = (_read(path) for path in sorted(_FOLDER.glob("*.py")) if not path.name.startswith(("_", ".")))
    return {method.name: method for method in found}


def _read(path: Path) -> Method:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        raise UserError(
            "a fusion method's file must be named after the method, with _ for -", where=path, expected="a-z, 0-9 and _"
        )
    declared = read_constants(path)
    label, acts, merges, inputs = (declared.get(name) for name in _DECLARED)
    parameters = _parameters(declared.get("PARAMETERS", {}))
    for name, valid, expected in (
        ("LABEL", isinstance(label, str) and label.strip(), "a string"),
        ("ACTS", acts in get_args(Acts), ", ".join(map(repr, get_args(Acts)))),
        ("MERGES", isinstance(merges, bool), "True or False"),
        ("INPUTS", _is_range(inputs), "(fewest, most) modalities; most may be None"),
        ("FIXED_MASK", isinstance(declared.get("FIXED_MASK", False), bool), "True or False"),
        ("PARAMETERS", parameters is not None, "{'name': {'default': number, 'min': number, 'max': number}, ...}"),
    ):
        if not valid:
            found = describe_constant(declared, name)
            fix = f"see {_FOLDER / '__init__.py'}"
            problem = "a fusion method's file must declare this"
            raise UserError(problem, where=path, key=constant_key(path, name), found=found, expected=expected, fix=fix)
    fix = f"see {_FOLDER / '__init__.py'}"
    if acts == "points":
        check_defines(path, "Operator", None, fix)
        wanted: dict[str, tuple[int, frozenset[str]] | None] = {"parameter_count": None, "forward": (1, frozenset())}
        wanted |= {"merge": (1, frozenset())} if merges else {}
        wanted |= {"__init__": (2, frozenset(parameters or {}))}
        check_methods(path, "Operator", wanted, fix)
    if declared.get("FIXED_MASK", False):
        check_defines(path, "mask", None, fix)
        check_named(path, "mask", 2, frozenset(parameters or {}), fix)
    fewest, most = declared["INPUTS"]
    return Method(
        name=path.stem.replace("_", "-"),
        label=declared["LABEL"],
        acts=declared["ACTS"],
        merges=declared["MERGES"],
        min_inputs=fewest,
        max_inputs=most,
        fixed_mask=declared.get("FIXED_MASK", False),
        parameters=parameters or {},
    )


def _is_range(inputs: Any) -> bool:
    if not isinstance(inputs, tuple) or len(inputs) != 2:
        return False
    fewest, most = inputs
    return isinstance(fewest, int) and fewest >= 1 and (most is None or (isinstance(most, int) and most >= fewest))


def _parameters(declared: Any) -> dict[str, Parameter] | None:
    """PARAMETERS as declared; None if it is not a mapping from names to valid parameters."""
    try:
        if not all(isinstance(name, str) and name.isidentifier() for name in declared):
            return None
        return {name: Parameter(**values) for name, values in declared.items()}
    except (AttributeError, OverflowError, TypeError, ValueError):
        return None
