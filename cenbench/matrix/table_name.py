"""A table's name: its number in the paper, to which it may be abbreviated, or a name of its own."""

from __future__ import annotations


def table_name(text: str) -> str:
    """`table7` for `7`; any other text unchanged."""
    return f"table{text}" if text.isascii() and text.isdigit() else text


def table_order(name: str) -> tuple[int, int, str]:
    """Key to sort names by: tables of the paper by their number, then the others by name."""
    number = name.removeprefix("table")
    return (0, int(number), "") if number.isascii() and number.isdigit() else (1, 0, name)
