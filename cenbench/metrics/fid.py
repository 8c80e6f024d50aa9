"""Frechet inception distance between the generated and the real images (Heusel et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from cenbench.metrics.inputs.features import FeatureSets

TITLE = "FID"
UNIT = ""
BETTER = "lower"
DECIMALS = 2
NEEDS = "features"
PERFECT = 0.0


def compute(sets: FeatureSets) -> float:
    return frechet_distance(sets.fake_ND, sets.real_ND)


def frechet_distance(fake_ND: Tensor, real_ND: Tensor) -> float:
    """|mu_a - mu_b|^2 + tr A + tr B - 2 tr sqrt(A B) of two sets of features, with unbiased covariances A and B.

    Float64; at least two samples each. The last trace is the nuclear norm of the cross-Gram of the centred features:
    with X, Y scaled so that A = X'X and B = Y'Y, the eigenvalues of A B are the squared singular values of X Y'. That
    needs no matrix root and no complex numbers, and N x N instead of D x D where N is smaller.
    """
    fake, real = fake_ND.double(), real_ND.double()
    centred = [(x_ND - x_ND.mean(0)) / (len(x_ND) - 1) ** 0.5 for x_ND in (fake, real)]
    trace = sum(x_ND.square().sum() for x_ND in centred)
    if len(fake) * len(real) <= fake.shape[1] ** 2:
        root = torch.linalg.matrix_norm(centred[0] @ centred[1].T, ord="nuc")
    else:
        # More samples than dimensions: the same singular values from the smaller triangular factors.
        factors = [torch.linalg.qr(x_ND, mode="r").R for x_ND in centred]
        root = torch.linalg.matrix_norm(factors[0] @ factors[1].T, ord="nuc")
    mean = (fake.mean(0) - real.mean(0)).square().sum()
    return float(mean + trace - 2 * root)
