"""Characters that a reader does not see, but that a terminal, a browser or a typesetter acts on."""

from __future__ import annotations

import re

_BLANK_RANGES = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0x1107F, 0x1107F), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159), (0xE0100, 0xE01EF),
)  # fmt: skip
"""Fillers, joiners and variation selectors that Unicode classes as letters, marks or symbols, and that show nothing."""
_BLANK = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _BLANK_RANGES)}]")
_SPACES = "\n\t\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}"
_WITHOUT_SPACES = str.maketrans("", "", _SPACES)


def is_hidden(letter: str) -> bool:
    """Whether a character shows nothing itself: controls, escapes, changes of direction, fillers, lone surrogates."""
    if letter in _SPACES:
        return False
    return not letter.isprintable() or _BLANK.match(letter) is not None


def visible(text: str, instead: str = "?") -> str:
    """`text` with every hidden character replaced."""
    if text.isascii() and text.isprintable():  # nearly every text, and at once
        return text
    if text.translate(_WITHOUT_SPACES).isprintable() and (text.isascii() or not _BLANK.search(text)):
        return text
    return "".join(instead if is_hidden(letter) else letter for letter in text)
