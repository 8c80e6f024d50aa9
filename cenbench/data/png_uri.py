"""A PNG as the address of an `<img>`, so that a page is one file."""

from __future__ import annotations

import base64


def png_uri(png: bytes) -> str:
    """`data:image/png;base64,...` of a PNG's bytes."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
