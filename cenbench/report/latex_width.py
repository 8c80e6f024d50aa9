"""How wide a text is when typeset, so that a table is arranged to fit its column before LaTeX sees it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

# Widths in pt of Computer Modern Roman at 10 pt (cmr10.tfm). Times, which many styles use, is narrower.
_CMR10 = {
    2.78: "ijl.,:;!'|-",
    3.06: "fIJ()[]/",
    3.92: "rst",
    4.44: "cez?",
    5.0: "agoq0123456789–",
    5.28: "kvxy",
    5.56: "bdhnpuS*",
    6.81: "EFLPC",
    7.36: "ABDGHKNORTUVXYZQ",
    7.78: "+±−×=<>↑↓†",
    8.33: "m%&",
    10.28: "wWM—",
}
_WIDTH = {letter: width for width, letters in _CMR10.items() for letter in letters} | {" ": 3.33}
_UNKNOWN = 8.0
_RELATIVE = {"footnotesize": 0.8 * 1.06, "scriptsize": 0.7 * 1.13}
"""Size -> factor to cmr10; the designs of 8 pt and 7 pt are relatively wider."""
_BOLD = 1.15


def text_pt(text: str, size: str, *, bold: bool = False) -> float:
    """Width of a text on one line, in pt; rather too large than too small."""
    return _cmr10_pt(text) * _RELATIVE[size] * (_BOLD if bold else 1.0)


@lru_cache(2**16)
def _cmr10_pt(text: str) -> float:
    """The same texts are measured for each form and size of a table."""
    return sum(_WIDTH.get(letter, _UNKNOWN) for letter in text)


def widest_pt(texts: Iterable[str], size: str, *, bold: bool = False) -> float:
    """Width of the widest of the texts; 0 without any."""
    return max((text_pt(text, size, bold=bold) for text in texts), default=0.0)


def longest_word_pt(text: str, size: str) -> float:
    """Width below which a text cannot be broken."""
    return widest_pt(text.split() or [""], size)
