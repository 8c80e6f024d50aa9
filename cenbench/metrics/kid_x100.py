"""Kernel inception distance between the generated and the real images (Binkowski et al., 2018), times a hundred."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cenbench.errors import UserError
from cenbench.metrics.inputs.features import FeatureSets, Subsets

TITLE = "KID \N{MULTIPLICATION SIGN}100"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "features"
PERFECT = None  # the estimate is unbiased, so that of a set with itself lies around zero, mostly below

_SMALL = 2048
"""Sets up to this many images have their kernel matrices computed once, 32 MiB each, and every subset reads from them.
Of larger sets each subset has its own, so that memory depends on the size of a subset only."""


def compute(sets: FeatureSets) -> float:
    distances = kernel_distances(sets.fake_ND, sets.real_ND, sets.subsets)
    return 100 * sum(distances) / len(distances)


def kernel_distances(fake_ND: Tensor, real_ND: Tensor, subsets: Subsets) -> list[float]:
    """The unbiased MMD^2, kernel (x . y / D + 1)^3, of each of the random subsets, drawn without replacement.

    Count, size and seed of the subsets are part of the metric's identity; they are drawn as torch-fidelity draws them,
    so that equal settings give equal numbers. Where a subset is the whole set every draw is the same set, as in the
    released code at N = 500. Raises `UserError` for a set smaller than a subset.
    """
    smallest = min(len(fake_ND), len(real_ND))
    if smallest < subsets.size:
        raise UserError(
            "KID subsets are larger than the set of images",
            key="evaluation.kid_subset_size",
            found=subsets.size,
            expected=f"at most {smallest}, the number of images",
        )
    fake, real = fake_ND.double().cpu(), real_ND.double().cpu()
    kernels = _read_from_whole if max(len(fake), len(real)) <= _SMALL else _computed_by_subset
    return [_mmd2(k_ff, k_rr, k_fr) for k_ff, k_rr, k_fr in kernels(fake, real, subsets)]


def polynomial_kernel(a_ND: Tensor, b_ND: Tensor) -> Tensor:
    """(a . b / D + 1)^3, the kernel of Binkowski et al."""
    return (a_ND @ b_ND.T / a_ND.shape[1] + 1) ** 3


Kernels = tuple[Tensor, Tensor, Tensor]
"""Of a subset: generated with generated, real with real, generated with real; (size, size) each."""


def _read_from_whole(fake: Tensor, real: Tensor, subsets: Subsets) -> Iterator[Kernels]:
    k_ff, k_rr, k_fr = (polynomial_kernel(a, b) for a, b in ((fake, fake), (real, real), (fake, real)))
    for f, r in _drawn(len(fake), len(real), subsets):
        yield k_ff[f][:, f], k_rr[r][:, r], k_fr[f][:, r]


def _computed_by_subset(fake: Tensor, real: Tensor, subsets: Subsets) -> Iterator[Kernels]:
    for f, r in _drawn(len(fake), len(real), subsets):
        a, b = fake[f], real[r]
        yield polynomial_kernel(a, a), polynomial_kernel(b, b), polynomial_kernel(a, b)


def _drawn(fakes: int, reals: int, subsets: Subsets) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of the generated and of the real set, for each subset."""
    generator = np.random.RandomState(subsets.seed)
    for _ in range(subsets.count):
        f, r = (generator.choice(count, subsets.size, replace=False) for count in (fakes, reals))
        yield torch.from_numpy(f), torch.from_numpy(r)


def _mmd2(k_aa: Tensor, k_bb: Tensor, k_ab: Tensor) -> float:
    """Unbiased: a sample is never compared with itself."""
    n = len(k_aa)
    within = (k_aa.sum() - k_aa.trace() + k_bb.sum() - k_bb.trace()) / (n * (n - 1))
    return float(within - 2 * k_ab.mean())
