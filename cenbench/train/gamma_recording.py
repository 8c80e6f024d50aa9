"""Records the scaling factors of the constrained norms while a cell trains, and the gradients with respect to them.

It only observes: a step leaves its gradients and the scaling factors it began with on the device, and they are read at
some lines of the history, where the host waits for the losses anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cenbench.matrix.cell import Cell
from cenbench.nn.network import Network
from cenbench.nn.sparsity import Sparsity, traced_norms
from cenbench.train import gamma_file
from cenbench.train.gamma_file import DECILES, LARGEST_BYTES, MOST_POINTS, TENTHS, Gammas, LayerGammas

_HEADER_BYTES_PER_ARRAY = 200
"""Name, type, shape and place of an array in a safetensors header, for names of up to 100 letters."""


@dataclass(frozen=True)
class RecordedGammas:
    """What a trainer's constrained norms are observed with.

    `theta` is the exchange threshold, `l1_weight` the factor of the l1 term in the loss (0 without one), `traced` the
    names of the layers whose scaling factors are kept at each point.
    """

    sparsity: Sparsity
    theta: float
    l1_weight: float
    traced: tuple[str, ...]


def recorded_gammas(cell: Cell, network: Network, sparsity: Sparsity) -> RecordedGammas:
    """What the constrained norms of the cell's network are observed with."""
    protocol = cell.protocol
    traced = traced_norms(network, protocol.traced_convs)
    l1_weight = 0.0 if cell.l1 == "none" else protocol.l1_weight(len(cell.streams))
    return RecordedGammas(sparsity, protocol.theta, l1_weight, traced)


class GammaRecording:
    """The points recorded so far, at most 200, and fewer where the file would not fit its bound."""

    def __init__(self, source: RecordedGammas, *, lines: int) -> None:
        """`lines` is the number of lines that the history will have."""
        self._source = source
        self._norms = source.sparsity.norms
        self._modalities = next(iter(self._norms.values())).modalities
        most = most_points({name: norm.channels for name, norm in self._norms.items()}, self._modalities, source.traced)
        self._lines, self._seen = lines, 0
        self._every = math.ceil(lines / most)
        self._steps: list[int] = []
        self._points: list[dict[str, Tensor]] = []

    def line(self, step: int) -> None:
        """A line of the history is written after `step` steps. Records a point at evenly spaced lines and the last."""
        self._seen += 1
        if (self._lines - self._seen) % self._every == 0:
            self._steps.append(step)
            self._points.append(self._point())

    @torch.no_grad()
    def _point(self) -> dict[str, Tensor]:
        """The arrays of one point, without their first axis."""
        source = self._source
        gamma, gradient, offset = source.sparsity.observed(source.l1_weight)
        gamma_MN, gradient_MN, offset_MN = torch.stack([gamma, gradient, offset]).cpu()
        gradient_MN = gradient_MN.abs()
        small_MN = (gradient_MN < source.l1_weight).double()
        # Where the task has no gradient at all, the l1 term is certain to win; without an l1 term nothing is.
        probability_MN = torch.erf(source.l1_weight / (math.sqrt(2) * offset_MN.double().abs())).nan_to_num(0.0)
        under_MN = source.sparsity.under(gamma_MN, source.theta)
        point: dict[str, Tensor] = {}
        first, cuts = 0, torch.arange(1, DECILES + 1, dtype=torch.float64) / TENTHS
        for name, norm in self._norms.items():
            part = slice(first, first + norm.channels)
            first = part.stop
            point[f"share/{name}"] = under_MN[:, part].double().mean(1)
            point[f"small_gradient/{name}"] = small_MN[:, part].mean(1)
            point[f"probability/{name}"] = probability_MN[:, part].mean(1)
            point[f"gradient_deciles/{name}"] = torch.quantile(gradient_MN[:, part].double(), cuts, dim=1).T
            if name in source.traced:
                point[f"path/{name}"] = gamma_MN[:, part]
        order_MN = probability_MN.argsort(dim=1, stable=True)
        for name, value_MN in (("probability_tenths", probability_MN), ("small_gradient_tenths", small_MN)):
            point[name] = _mean_of_tenths(value_MN.gather(1, order_MN))
        return {name: tensor.float().contiguous() for name, tensor in point.items()}

    def state_dict(self) -> dict[str, object]:
        """For the resumable state: plain values and tensors."""
        points = {name: torch.stack([point[name] for point in self._points]) for name in self._names()}
        return {"seen": self._seen, "steps": list(self._steps), "points": points}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Continue from what `state_dict` returned."""
        seen, steps, points = state["seen"], state["steps"], state["points"]
        assert isinstance(seen, int)
        assert isinstance(steps, list)
        assert isinstance(points, dict)
        self._seen, self._steps = seen, list(steps)
        self._points = [{name: stacked[t].clone() for name, stacked in points.items()} for t in range(len(steps))]

    def _names(self) -> list[str]:
        return list(self._points[0]) if self._points else []

    def content(self) -> bytes:
        """The file of the training, with the scaling factors that the network has now as the final ones."""
        return content(self._source, self._steps, self._points)


def content(source: RecordedGammas, steps: Sequence[int] = (), points: Sequence[dict[str, Tensor]] = ()) -> bytes:
    """The file of a training with these points. Without any, that of weights that were not trained here."""
    norms = source.sparsity.norms
    modalities = next(iter(norms.values())).modalities

    def over_time(name: str, *shape: int) -> np.ndarray:
        values: list[np.ndarray] = [point[name].numpy() for point in points]
        return np.stack(values) if values else np.zeros((0, *shape), np.float32)

    layers = {
        name: LayerGammas(
            exchanges=norm.replaced_MC() is not None,
            final_MC=norm.gamma_MC().detach().float().cpu().numpy(),
            share_TM=over_time(f"share/{name}", modalities),
            small_gradient_TM=over_time(f"small_gradient/{name}", modalities),
            probability_TM=over_time(f"probability/{name}", modalities),
            gradient_deciles_TMD=over_time(f"gradient_deciles/{name}", modalities, DECILES),
            path_TMC=over_time(f"path/{name}", modalities, norm.channels) if name in source.traced else None,
        )
        for name, norm in norms.items()
    }
    gammas = Gammas(
        theta=source.theta,
        lambda_l1=source.l1_weight,
        step_T=np.array(steps, np.int64),
        layers=layers,
        probability_tenths_TMD=over_time("probability_tenths", modalities, TENTHS),
        small_gradient_tenths_TMD=over_time("small_gradient_tenths", modalities, TENTHS),
    )
    return gamma_file.to_bytes(gammas)


def most_points(channels: Mapping[str, int], modalities: int, traced: tuple[str, ...]) -> int:
    """How many points a file within its bound has room for; at least one, at most 200."""
    numbers = sum(3 + DECILES + (count if name in traced else 0) for name, count in channels.items()) + 2 * TENTHS
    per_point = 4 * modalities * numbers + 8
    arrays = 6 * len(channels) + len(traced) + 5
    fixed = 4 * modalities * sum(channels.values()) + arrays * _HEADER_BYTES_PER_ARRAY
    return max(1, min(MOST_POINTS, (LARGEST_BYTES - fixed) // per_point))


def _mean_of_tenths(sorted_MN: Tensor) -> Tensor:
    """(M, 10) means of ten parts of the rows that differ in length by at most one; fewer than ten channels repeat."""
    N = sorted_MN.shape[1]
    edges = [(N * k // TENTHS, max(N * (k + 1) // TENTHS, N * k // TENTHS + 1)) for k in range(TENTHS)]
    return torch.stack([sorted_MN[:, a:b].mean(1) for a, b in edges], dim=1)
