"""What tests read from error messages."""

from __future__ import annotations

import re

from cenbench.errors import UserError


def key_of(error: UserError) -> str:
    """The error's key without the line it stands in, which moves with every edit of the file."""
    assert error.key is not None
    return without_lines(error.key)


def without_lines(text: str) -> str:
    return re.sub(r" \(line [0-9]+\)", "", text)
