"""The statistics that norms normalise by in evaluation: those of training, estimated anew, or each image's own.

`running`      moving averages with momentum 0.1, as training left them: mostly the last twenty steps
`reestimated`  their mean over the whole training split, for the weights as they are in the end
`own`          each image's own, as in training (instance norms only)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import get_args

from torch import Tensor

from cenbench.data.batches import whole_batches
from cenbench.errors import UserError
from cenbench.evaluate.measured import Measured
from cenbench.matrix.specs import NormStatistics
from cenbench.nn.network import Network
from cenbench.nn.norm import norms_of, reestimate_statistics, set_own_statistics
from cenbench.train.setup import Setup

log = logging.getLogger("cenbench")


def other_scores(
    setup: Setup, network: Network, measure: Callable[[Setup, Network], Measured]
) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """Norm statistics that the cell's evaluation does not name -> stream -> metric -> value with them.

    `measure` is the task's. Statistics with which a prediction or a metric is not finite are left out. The network ends
    with its running ones.
    """
    statistics = ChosenStatistics(setup, network)
    found: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for name in statistics.others:
        named = {"norm_statistics": name, "samples": 0}
        if setup.cell.evaluation.statistics == "own" != setup.cell.evaluation.norm_statistics:
            named["instance_statistics_at_test"] = False
        evaluation = setup.cell.evaluation.model_copy(update=named)
        cell = setup.cell.model_copy(update={"evaluation": evaluation})
        try:
            found[name] = measure(replace(setup, cell=cell), network).metrics
        except UserError as error:
            log.warning("with %s norm statistics: %s", name, error.problem)
        statistics.use("running")
    return found


class ChosenStatistics:
    """Switches a trained network between the statistics it can be evaluated with."""

    def __init__(self, setup: Setup, network: Network) -> None:
        self._setup, self._network = setup, network
        self._running = _statistics(network)

    @property
    def others(self) -> tuple[NormStatistics, ...]:
        """Those that this network has besides the ones that its cell's evaluation names."""
        norms = norms_of(self._network)
        trained = [norm for norm in norms if not norm.frozen]
        able = {
            "running": True,
            "reestimated": bool(trained),
            "own": any(norm.kind == "instance" for norm in norms),
        }
        named = self._setup.cell.evaluation.statistics
        return tuple(name for name in get_args(NormStatistics) if able[name] and name != named)

    def use(self, name: NormStatistics) -> None:
        """Make the network normalise by these statistics in evaluation mode."""
        set_own_statistics(self._network, name == "own")
        self._network.load_state_dict(self._reestimated if name == "reestimated" else self._running, strict=False)

    def use_named(self) -> None:
        """Make the network normalise by those that the cell's evaluation names."""
        self.use(self._setup.cell.evaluation.statistics)

    @cached_property
    def _reestimated(self) -> dict[str, Tensor]:
        self._network.load_state_dict(self._running, strict=False)
        reestimate_statistics(self._network, self._training_images())
        return _statistics(self._network)

    def _training_images(self) -> Iterator[Tensor]:
        """Every scene that the cell was trained on, whole, in stored order; batches are at least as large as there."""
        cell, device = self._setup.cell, self._setup.device
        for x_BMCHW in whole_batches(
            self._setup.prepared, cell.task, cell.protocol.train_split, cell.protocol.batch_size
        ):
            yield x_BMCHW.to(device)


def _statistics(network: Network) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items() if ".running_" in f".{name}"}
