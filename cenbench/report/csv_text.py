"""A data frame as CSV that a spreadsheet shows and does not run."""

from __future__ import annotations

import pandas

_RUN = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet takes text that begins with one of these, some of them in wide forms, for a formula, which may start
programs."""


def csv_text(frame: pandas.DataFrame) -> str:
    """`frame` without its index. Text that a spreadsheet would run gets an apostrophe, which it does not show."""
    texts = {
        str(name): pandas.Series([_harmless(value) for value in column], index=frame.index, dtype=column.dtype)
        for name, column in frame.items()
        if not pandas.api.types.is_numeric_dtype(column.dtype)
    }
    return str(frame.assign(**texts).to_csv(index=False, lineterminator="\n"))


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace("\r", " ")  # a bare one, which is not quoted, would end the line
    return f"'{text}" if text.startswith(_RUN) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
