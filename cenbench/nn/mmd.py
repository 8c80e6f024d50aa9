"""Multi-kernel maximum mean discrepancy (MK-MMD) between two samples of feature vectors.

Gretton et al., JMLR 2012 (the unbiased estimate); Long et al., Learning Transferable Features with Deep Adaptation
Networks, ICML 2015 (several Gaussian kernels whose widths form a geometric series around the mean distance).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

KERNELS = 11
MAX_SAMPLES = 512
"""The positions of a modality at a fusion point are subsampled to about this many."""
_BLOCK = 256
_SQUARINGS = 4


def positions(y_BMCHW: Tensor) -> Tensor:
    """Feature vectors as samples, (M, N, C): the positions of all images on a regular grid of about 512."""
    B, _, _, H, W = y_BMCHW.shape
    stride = max(1, math.ceil(math.sqrt(B * H * W / MAX_SAMPLES)))
    thinned = y_BMCHW[..., ::stride, ::stride]
    return thinned.permute(1, 0, 3, 4, 2).flatten(1, 3)


def mk_mmd(x_NC: Tensor, y_NC: Tensor) -> Tensor:
    """Unbiased estimate of the squared MMD under the mean of 11 Gaussian kernels, a scalar; may be negative.

    Kernel i is exp(-d^2 / (2^i s)), i = -5..5, where d is the distance between two vectors and s the mean d^2 over all
    pairs of both samples (no gradient through s). Pairs of a vector with itself do not count; with one vector per
    sample there are no other pairs, and the biased estimate is returned. Memory is linear in N. Computed in float32,
    also under autocast. Both samples have the same N. Differentiable once.
    """
    with torch.autocast(x_NC.device.type, enabled=False):
        x_NC, y_NC = x_NC.float(), y_NC.float()
        N = len(x_NC)
        joint = torch.cat([x_NC, y_NC]).detach()
        # Centring changes no distance and reduces cancellation.
        x_NC, y_NC = x_NC - joint.mean(0), y_NC - joint.mean(0)
        width = _mean_squared_distance(joint)
        xx, yy, xy = (_kernel_sum(a, b, width) for a, b in ((x_NC, x_NC), (y_NC, y_NC), (x_NC, y_NC)))
        if N == 1:
            return xx + yy - 2 * xy
        # k(z, z) = 1 on each diagonal, N times.
        return (xx - N + yy - N) / (N * (N - 1)) - 2 * xy / N**2


def _mean_squared_distance(z_NC: Tensor) -> Tensor:
    """Over pairs of different vectors, in closed form: 2 N (sum |z|^2 - |sum z|^2 / N) / (N (N - 1))."""
    N = len(z_NC)
    centred = z_NC - z_NC.mean(0)
    # Where all vectors are equal any width will do: every kernel is 1.
    return (2 * centred.square().sum() / (N - 1)).clamp_min(1e-20)


def _kernel_sum(a_NC: Tensor, b_NC: Tensor, width: Tensor) -> Tensor:
    """Sum of k(a, b) over all pairs."""
    total: Tensor = _KernelSum.apply(a_NC, b_NC, width)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return total


class _KernelSum(torch.autograd.Function):
    """The sum, and its gradient in closed form in the same pass; what it saves is as large as the samples."""

    @staticmethod
    def forward(ctx: Any, a_NC: Tensor, b_NC: Tensor, width: Tensor) -> Tensor:
        total, gradient_b = a_NC.new_zeros(()), torch.zeros_like(b_NC)
        gradients_a = []
        for rows in torch.split(a_NC, _BLOCK):
            kernels, slope = _kernels(rows, b_NC, width)
            total += kernels
            # dk/da = -slope (a - b), with the opposite sign for b.
            gradients_a.append(slope @ b_NC - slope.sum(1, keepdim=True) * rows)
            gradient_b += slope.T @ rows - slope.sum(0)[:, None] * b_NC
        ctx.save_for_backward(torch.cat(gradients_a), gradient_b)
        return total

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None]:
        gradient_a, gradient_b = ctx.saved_tensors
        return outer * gradient_a, outer * gradient_b, None


def _kernels(rows_RC: Tensor, b_NC: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the mean kernel over these pairs, and for each pair twice its derivative with respect to -d^2, (R, N)."""
    squared = rows_RC.square().sum(1, keepdim=True) + b_NC.square().sum(1) - 2 * rows_RC @ b_NC.T
    ratio = squared.clamp_min_(0) / width
    total, slope, kernel = ratio.new_zeros(()), torch.zeros_like(ratio), ratio
    for place in range(KERNELS):
        power = 2.0 ** (KERNELS // 2 - place)
        # Halving the width squares the kernel. A fresh exponential every few steps limits rounding errors.
        kernel = kernel.square() if place % _SQUARINGS else torch.exp(-ratio / power)
        total += kernel.sum()
        slope.add_(kernel, alpha=1 / power)
    return total / KERNELS, slope.mul_(2 / (KERNELS * width))
