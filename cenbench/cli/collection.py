"""How often Python looks for reference cycles: rarely while a command imports, as usual while it computes.

By default it looks after every 700 new objects. Commands begin by importing hundreds of thousands, torch's above all,
and keep them: looking among those is a fifth of the time that a cell takes to start.
"""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()
_RARE = 50_000


def collect_rarely() -> None:
    """To be called before a command imports what it needs."""
    gc.set_threshold(_RARE)


def collect_as_usual() -> None:
    """To be called before long work, in which cycles may hold large tensors. Leaves out what was imported."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
