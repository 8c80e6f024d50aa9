"""Output to a terminal or file whose encoding lacks some of our characters: readable stand-ins instead of an error."""

from __future__ import annotations

import codecs
import io
import sys

_STAND_INS = {
    "\N{MINUS SIGN}": "-", "\N{PLUS-MINUS SIGN}": "+-", "\N{MULTIPLICATION SIGN}": "x", "\N{DAGGER}": "*",
    "\N{UPWARDS ARROW}": "^", "\N{DOWNWARDS ARROW}": "v", "\N{EN DASH}": "-", "\N{HORIZONTAL ELLIPSIS}": "...",
}  # fmt: skip
_NAME = "cenbench"


def accept_any_encoding() -> None:
    """Make stdout write stand-ins for what its encoding cannot express (`?` if there is none). stderr escapes it."""
    codecs.register_error(_NAME, _stand_in)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_NAME)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    failed = error.object[error.start : error.end]
    return "".join(_STAND_INS.get(letter, "?") for letter in failed), error.end
