"""Fenced blocks of the documentation's pages, with their titles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FENCE = re.compile(r'^ *```(\w*)(?: title="([^"\n]*)")?\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
MISTAKE = "a mistake in "
"""Starts the title of a block that shows what not to write."""


class Block(NamedTuple):
    """A block, e.g. of language `sh`; its title states where it belongs or what happens, and is empty for most."""

    language: str
    title: str
    body: str


def fenced_blocks(text: str) -> Iterator[Block]:
    return (Block(*found) for found in FENCE.findall(text))
