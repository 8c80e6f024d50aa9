"""A table's name, which may be abbreviated to its number."""

from __future__ import annotations


def table_name(text: str) -> str:
    """`table7` for `7`; any other text unchanged."""
    return f"table{text}" if text.isascii() and text.isdigit() else text
