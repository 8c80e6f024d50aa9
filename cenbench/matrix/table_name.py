"""A table's name: its number in the paper, to which it may be abbreviated, or a name of its own."""

from __future__ import annotations

import re

_OF_THE_PAPER = re.compile(r"(table|figure|)[ _-]?([0-9]+)", re.IGNORECASE)


def table_name(text: str) -> str:
    """`table7` for `7`, `Table 7` or `table-7`, likewise `figure5`; any other text unchanged."""
    found = _OF_THE_PAPER.fullmatch(text.strip())
    return f"{found[1].lower() or 'table'}{found[2]}" if found else text


def figure_name(text: str) -> str:
    """`figure5` for `5` or `Figure 5`; any other text unchanged."""
    return table_name(f"figure{text}" if _OF_THE_PAPER.fullmatch(f"figure{text}") else text)


def table_order(name: str) -> tuple[int, int, str]:
    """Key to sort names by: tables of the paper by their number, then the others by name."""
    number = name.removeprefix("table")
    return (0, int(number), "") if number.isascii() and number.isdigit() else (1, 0, name)
