"""What a claim's numbers show where a preset has one seed: differences, but nothing that other seeds would repeat."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.report.claim_images import ImageIntervals, Interval
from cenbench.stats.bootstrap import Settings
from cenbench.stats.claims import support


@dataclass(frozen=True)
class SettingEffect:
    """One setting: better / worse, and their difference, positive in the claim's favour."""

    label: str
    effect: float
    images: Interval | None
    """95 % interval over test images, the trained networks held fixed; None where it is not known."""


@dataclass(frozen=True)
class OneSeed:
    """The effect is the mean over settings or, where the claim must hold in every setting, of the one that speaks most
    against it.
    """

    effect: float
    images: Interval | None
    """95 % interval of the effect over test images."""
    settings: tuple[SettingEffect, ...]


def one_seed(claim: PlannedClaim, settings: Settings, images: ImageIntervals | None) -> OneSeed | None:
    """The differences of a claim whose cells are all finished; None if every setting has several seeds.

    `settings` holds of each setting seed -> difference.
    """
    if not settings or all(len(setting) > 1 for setting in settings):
        return None
    intervals = images.settings if images else (None,) * len(settings)
    effects = [fmean(setting.values()) for setting in settings]
    lines = zip(claim.settings, effects, intervals, strict=True)
    shown = tuple(SettingEffect(setting.label, effect, interval) for setting, effect, interval in lines)
    if claim.spec.every:
        worst = min(shown, key=lambda one: support(one.effect, claim.spec.relation))
        return OneSeed(worst.effect, worst.images, shown)
    return OneSeed(fmean(effects), images.claim if images else None, shown)
