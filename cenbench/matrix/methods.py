"""The fusion methods, as the files of `cenbench/nn/fusion` declare them. Parsed, not imported: no torch here."""
# changes no number: what a cell asks for is in its id, by value

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from cenbench.errors import UserError
from cenbench.matrix.declared import read_constants

Acts = Literal["points", "norms", "nowhere"]
_DECLARED = ("LABEL", "ACTS", "MERGES", "INPUTS")
_FOLDER = Path(__file__).parents[1] / "nn" / "fusion"


@dataclass(frozen=True)
class Method:
    """The declaration of a method's file; see `cenbench/nn/fusion/__init__.py`."""

    name: str
    label: str
    acts: Acts
    merges: bool
    min_inputs: int
    max_inputs: int | None

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
    found = (_read(path) for path in sorted(_FOLDER.glob("[a-z]*.py")))
    return {method.name: method for method in found}


def _read(path: Path) -> Method:
    declared = read_constants(path)
    label, acts, merges, inputs = (declared.get(name) for name in _DECLARED)
    for name, valid, expected in (
        ("LABEL", isinstance(label, str) and label, "a string"),
        ("ACTS", acts in get_args(Acts), ", ".join(map(repr, get_args(Acts)))),
        ("MERGES", isinstance(merges, bool), "True or False"),
        ("INPUTS", _is_range(inputs), "(fewest, most) modalities; most may be None"),
    ):
        if not valid:
            found = repr(declared[name]) if name in declared else "nothing, or not a literal"
            fix = f"see {_FOLDER / '__init__.py'}"
            problem = "a fusion method's file must declare this"
            raise UserError(problem, where=path, key=name, found=found, expected=expected, fix=fix)
    return Method(
        path.stem.replace("_", "-"), declared["LABEL"], declared["ACTS"], declared["MERGES"], *declared["INPUTS"]
    )


def _is_range(inputs: Any) -> bool:
    if not isinstance(inputs, tuple) or len(inputs) != 2:
        return False
    fewest, most = inputs
    return isinstance(fewest, int) and fewest >= 1 and (most is None or (isinstance(most, int) and most >= fewest))
