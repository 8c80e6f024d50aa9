"""The metrics, one file each; the file's name is the metric's key (`miou_pct.py`: `miou_pct`), with its unit in it.

A file declares in literals what the matrix and the reports read without importing torch (`cenbench.matrix.metrics`):

    TITLE     the heading in tables
    UNIT      shown after the title, e.g. "M"; "" for none. "%" is for shares: no value is below 0 or above 100
    BETTER    "higher" or "lower"
    DECIMALS  digits shown after the point
    NEEDS     what it is computed from, see below
    PERFECT   the value of a perfect prediction, which none is better than; None where there is no such value

and defines `compute`, which depends on NEEDS:

    "confusion"  compute(confusion_KK) -> float
                 float64 counts [ground truth, prediction] pooled over the split (`inputs/confusion.py`)
    "thin"       compute(confusion_LL) -> float
                 the same counts, with all classes that are not thin as one, the last. A record lacks the metric where
                 no thin class occurs (`cenbench/data/thin_classes.py`)
    "boundaries" compute(confusion_LL) -> float
                 counts of the pixels near the boundary of their class; the last class stands for all other pixels
                 (`inputs/boundaries.py`)
    "pixels"     values(image_BSCHW, target_BCHW) -> values_BS...
                 what is averaged over the split: float64, one or more per image and stream (`inputs/pixels.py`)
                 compute(total, count) -> metric
                 from the sum of such values and their number, elementwise
    "edges"      compute(errors) -> float
                 sums of absolute errors near the target's edges and away from them, an `EdgeErrors`
                 (`inputs/edges.py`). A record lacks the metric where one of the two has no pixel
    "features"   compute(sets) -> float
                 features of the generated and the real images, a `FeatureSets` (`inputs/features.py`)
    "network"    compute(counts) -> float
                 from the record's `parameters`: `total` and `fusion` parameters, `flops` of one scene. The file must
                 not import torch, because reports use it
    "exchange"   compute(overall, stream) -> float
                 from the record's `exchange`: the share of replaced channels of each modality, and of all for the
                 ensemble. Only networks that exchange have such a number. No torch here either
    "gammas"     compute(gammas) -> float
                 from the scaling factors that training recorded, a `GammaArrays` (`inputs/gammas.py`); NaN where a cell
                 has no such number. Read where a claim asks for it, so tables do not show them. No torch

Every file directly in this folder is a metric. What metrics share is in `inputs/`, which is not searched. No
registration is needed: a record holds every metric of its task, a table may show it, and the conformance suite
(tests/test_metrics_plugins.py) runs on it. docs/metrics.md walks through an example.
"""
