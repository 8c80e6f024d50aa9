"""A cell's history: one CSV line every few steps, with fixed columns and exact floats: equal runs give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence

HISTORY = "history.csv"
"""Its file's name, beside the weights and in the cell's record."""


def history_csv(columns: Sequence[str], rows: Sequence[Sequence[float]]) -> bytes:
    """`rows` in the order of `columns`; whole numbers without a decimal point, others with all digits they need."""
    lines = [",".join(columns), *(",".join(_text(value) for value in row) for row in rows)]
    return ("\n".join(lines) + "\n").encode("ascii")


def _text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
