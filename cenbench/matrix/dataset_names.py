"""The names of all datasets: rendered ones, and those with an adapter. Read, not imported: no NumPy here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.declared import read_constants
from cenbench.matrix.specs import RENDERED
from cenbench.matrix.validation import Issue, short_repr, spelling_hint

_ADAPTERS = Path(__file__).parents[1] / "data" / "adapters.py"


@cache
def dataset_names() -> tuple[str, ...]:
    """All names, the rendered datasets first. `UserError` if the list of adapters cannot be read."""
    adapters = read_constants(_ADAPTERS).get("ADAPTERS")
    if not isinstance(adapters, dict) or not all(isinstance(name, str) for name in adapters):
        expected = "a literal: name of a dataset -> name of its adapter class"
        raise UserError("the list of datasets is missing", where=_ADAPTERS, key="ADAPTERS", expected=expected)
    return (*RENDERED, *sorted(adapters))


def unknown_dataset(name: str, key: str) -> list[Issue]:
    """The issue of a dataset's name that is not one of them, at `key` of its file; empty for a known one."""
    if name in dataset_names():
        return []
    allowed, hint = ", ".join(dataset_names()), spelling_hint(name, dataset_names())
    return [Issue(key, "unknown dataset", short_repr(name), allowed, hint)]
