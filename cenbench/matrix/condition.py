"""The conditions under which a trained cell can be evaluated once more: names, headings and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from cenbench.matrix.specs import Frozen, Name, PositiveFloat

Kind = Literal["depth_noise", "depth_holes", "darkening", "overexposure"]
ACTS_ON: Mapping[str, str] = {
    "depth_noise": "depth",
    "depth_holes": "depth",
    "darkening": "rgb",
    "overexposure": "rgb",
}
"""Kind of corruption -> the input that it acts on."""
TITLES: Mapping[str, str] = {
    "clean": "Clean",
    "depth_noise": "Depth noise (share of the depth)",
    "depth_holes": "Depth holes (share of the pixels)",
    "darkening": "Darkening of RGB (stops)",
    "overexposure": "Overexposure of RGB (stops)",
    "absent": "Input absent",
    "left_out": "Input absent and left out of the ensemble",
    "exposure": "Scenes by exposure",
}
"""Kind of condition -> its heading, with the unit of the strength."""
STRONGEST: Mapping[str, float] = {"depth_noise": 1.0, "depth_holes": 1.0, "darkening": 8.0, "overexposure": 8.0}
"""Kind -> its largest strength: all of the depth, all of the pixels, and as many stops as 8 bits have."""
EXPOSURES = ("dark", "normal", "over")


@dataclass(frozen=True)
class Condition:
    """One evaluation of a cell: `kind` is `clean`, a corruption, `absent`, `left_out` or `exposure`."""

    kind: str
    strength: float = 0.0
    """Of a corruption; 0 for all others."""
    of: str = ""
    """The input that is corrupted, absent or left out; the exposure of the scenes that are scored."""

    @property
    def key(self) -> str:
        """Its name in files: `clean`, `depth_noise=0.2`, `absent=rgb`, `exposure=dark`."""
        if self.kind in ACTS_ON:
            return f"{self.kind}={self.strength:g}"
        return f"{self.kind}={self.of}" if self.of else self.kind

    @property
    def label(self) -> str:
        """Its name for people, without the kind where that is a heading: a strength, an input, an exposure."""
        return f"{self.strength:g}" if self.kind in ACTS_ON else self.of or self.kind

    @property
    def baseline(self) -> Condition:
        """What its scores are compared with: the images as they are, or the scenes of normal exposure."""
        return Condition("exposure", of="normal") if self.kind == "exposure" else CLEAN


CLEAN = Condition("clean")


class Under(Frozen):
    """The condition that a claim is about: how much is lost under it, against the images as they are."""

    kind: Literal[Kind, "absent", "left_out", "exposure"]
    strength: PositiveFloat | None = None
    """Of a corruption: one of the declared strengths."""
    of: Name | None = None
    """The input that is absent or left out, or the exposure of the scenes."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Under:
        needed, other = ("strength", "of") if self.kind in ACTS_ON else ("of", "strength")
        if getattr(self, needed) is None or getattr(self, other) is not None:
            raise ValueError(f"{self.kind} needs `{needed}`, and has no `{other}`")
        return self

    @property
    def condition(self) -> Condition:
        return Condition(self.kind, self.strength or 0.0, self.of or "")
