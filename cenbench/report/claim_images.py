"""What the choice of test images contributes to a claim's effect: read from the cells' per-image scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cenbench.matrix.claim_pairs import PlannedClaim
from cenbench.matrix.metrics import metrics
from cenbench.records.per_image import NoScores, dense_counts, read_per_image
from cenbench.records.read import CellRecord
from cenbench.stats.claims import support
from cenbench.stats.images import (
    image_weights,
    resampled_confusion,
    resampled_edges,
    resampled_mean,
    with_others_merged,
)

Interval = tuple[float, float]


@dataclass(frozen=True)
class ImageIntervals:
    """95 % intervals over resampled test images, the trained networks held fixed, positive in the claim's favour.

    None where the metric is undefined for some of the drawn images, as the IoU of classes that occur in few of them.
    """

    claim: Interval | None
    """Of the mean over settings or, where the claim must hold in every one, of the setting that speaks most against it.
    """
    settings: tuple[Interval | None, ...]
    """Of the mean over seeds in each setting."""


def image_intervals(claim: PlannedClaim, records: Mapping[str, CellRecord]) -> ImageIntervals | None:
    """What other test images would have changed.

    None where a cell has no per-image scores, as under a condition, where the claim is about a fixed number or about no
    number, or where the metric is not a function of their sums (FID, KID).
    """
    if claim.spec.under is not None or claim.spec.against is not None or claim.spec.check is not None:
        return None
    resampled = {cell.id: _resampled(records[cell.id], claim.stream, claim.spec.metric or "") for cell in claim.cells}
    known = {cell_id: values for cell_id, values in resampled.items() if values is not None}
    if not claim.settings or len(known) < len(resampled):
        return None
    if len({len(values) for values in known.values()}) != 1:
        return None
    sign = 1 if metrics()[claim.spec.metric or ""].better == "higher" else -1
    means = [
        sign * np.mean([known[better.id] - known[worse.id] for better, worse in setting.pairs], axis=0)
        for setting in claim.settings
    ]
    whole_R = np.mean(means, axis=0)
    if claim.spec.every:
        whole_R = min(means, key=lambda mean_R: support(float(mean_R.mean()), claim.spec.relation))
    return ImageIntervals(_interval(whole_R), tuple(map(_interval, means)))


def _interval(effect_R: np.ndarray) -> Interval | None:
    low, high = np.quantile(effect_R, [0.025, 0.975])
    return (float(low), float(high)) if np.isfinite([low, high]).all() else None


def _resampled(record: CellRecord, stream: str, metric: str) -> np.ndarray | None:
    scores = read_per_image(record) if record.state == "ok" else NoScores(record.state)
    if isinstance(scores, NoScores) or scores.images == 0:
        return None
    weights_RN = image_weights(scores.images)
    needs = metrics()[metric].needs
    if needs == "boundaries" and stream in scores.boundaries:
        return resampled_confusion(metric, dense_counts(scores.boundaries[stream]), weights_RN)
    if needs == "edges" and stream in scores.edges:
        return resampled_edges(metric, scores.edges[stream], weights_RN)
    if stream in scores.confusion:
        counts_NKK = dense_counts(scores.confusion[stream])
        if needs == "thin":
            counts_NKK = with_others_merged(counts_NKK, scores.thin)
        return resampled_confusion(metric, counts_NKK, weights_RN)
    mean_N = scores.means.get(stream, {}).get(metric)
    return None if mean_N is None else resampled_mean(metric, mean_N, weights_RN)
