"""Kernel inception distance between two sets of features: mean over declared subsets, times 100."""

from __future__ import annotations

import numpy
from torch import Tensor

from cenbench.errors import UserError

KEYS = ("kid_x100",)


def compute(fake_ND: Tensor, real_ND: Tensor, subsets: int, subset_size: int, seed: int) -> float:
    """100 times the mean, over `subsets` draws of `subset_size` without replacement, of the unbiased MMD^2.

    Kernel (x . y / D + 1)^3. Subset count, size and seed are part of the metric's identity; they are drawn as
    torch-fidelity draws them, so that equal settings give equal numbers. A set smaller than a subset
    is a `UserError`. Where a subset is the whole set every draw is the same set, as in the released code at N = 500.
    """
    smallest = min(len(fake_ND), len(real_ND))
    if smallest < subset_size:
        raise UserError(
            "KID subsets are larger than the set of images",
            key="evaluation.kid_subset_size",
            found=subset_size,
            expected=f"at most {smallest}, the number of images",
        )
    generator = numpy.random.RandomState(seed)
    fake, real = fake_ND.double().cpu(), real_ND.double().cpu()
    kernels = [polynomial_kernel(a, b) for a, b in ((fake, fake), (real, real), (fake, real))]
    total = 0.0
    for _ in range(subsets):
        rows = [generator.choice(len(each), subset_size, replace=False) for each in (fake, real)]
        total += _mmd2(
            kernels[0][rows[0]][:, rows[0]], kernels[1][rows[1]][:, rows[1]], kernels[2][rows[0]][:, rows[1]]
        )
    return 100 * total / subsets


def polynomial_kernel(a_ND: Tensor, b_ND: Tensor) -> Tensor:
    """(a . b / D + 1)^3, the kernel of Binkowski et al."""
    return (a_ND @ b_ND.T / a_ND.shape[1] + 1) ** 3


def _mmd2(k_aa: Tensor, k_bb: Tensor, k_ab: Tensor) -> float:
    """Unbiased: a sample is never compared with itself."""
    n = len(k_aa)
    within = (k_aa.sum() - k_aa.trace() + k_bb.sum() - k_bb.trace()) / (n * (n - 1))
    return float(within - 2 * k_ab.mean())
