"""SGD and Adam for groups of parameters with a learning rate each, and the factor by which rates follow a schedule.

The arithmetic is torch's, through its functional interface. The classes of `torch.optim` are not used because they
import torch's compiler at their first use: a second of every process, a tenth of a small cell.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.adam import adam
from torch.optim.sgd import sgd

_EPS = 1e-8


def rate_factor(step: int, total: int, *, schedule: str, warmup_steps: int) -> float:
    """What the learning rates are multiplied by at `step` (from 0) of `total`.

    The first `warmup_steps` rise linearly to one; `cosine` then falls to zero at the end (Loshchilov & Hutter 2017).
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / max(1, total - warmup_steps)))


class Optimizer(ABC):
    """Updates parameters from their gradients; those without a gradient are left alone."""

    def __init__(self, groups: Sequence[Iterable[Parameter]], rates: Sequence[float]) -> None:
        self._groups = [list(group) for group in groups]
        self.rates = list(rates)

    def set_rates(self, rates: Sequence[float]) -> None:
        """One learning rate per group, from the next step on."""
        self.rates = list(rates)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self._groups:
            for parameter in group:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for number, group in enumerate(self._groups):
            trained: list[Tensor] = [parameter for parameter in group if parameter.grad is not None]
            self._update(number, trained, [parameter.grad for parameter in trained if parameter.grad is not None])

    @abstractmethod
    def _update(self, group: int, parameters: list[Tensor], gradients: list[Tensor]) -> None: ...

    @abstractmethod
    def state_dict(self) -> dict[str, Any]: ...

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def _named(self, by_parameter: dict[Tensor, Any]) -> dict[str, Any]:
        """State by the parameter's number, for a file."""
        numbers = self._numbers()
        return {str(numbers[parameter]): value for parameter, value in by_parameter.items()}

    def _numbers(self) -> dict[Tensor, int]:
        return {parameter: number for number, parameter in enumerate(p for group in self._groups for p in group)}


class SGD(Optimizer):
    """SGD with momentum and weight decay, as `torch.optim.SGD(..., fused=True)`."""

    def __init__(
        self, groups: Sequence[Iterable[Parameter]], rates: Sequence[float], *, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(groups, rates)
        self._momentum, self._weight_decay = momentum, weight_decay
        self._buffers: dict[Tensor, Tensor] = {}

    def _update(self, group: int, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        known = set(self._buffers)
        pairs = list(zip(parameters, gradients, strict=True))
        # torch initialises either all buffers of a call or none.
        for initialised in (False, True):
            chosen = [(own, gradient) for own, gradient in pairs if (own in known) is initialised]
            buffers = [self._buffers.get(own) for own, _ in chosen]
            sgd(
                [own for own, _ in chosen],
                [gradient for _, gradient in chosen],
                buffers,
                fused=True,
                foreach=False,
                weight_decay=self._weight_decay,
                momentum=self._momentum,
                lr=self.rates[group],
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            for (own, _), buffer in zip(chosen, buffers, strict=True):
                if buffer is not None:
                    self._buffers[own] = buffer

    def state_dict(self) -> dict[str, Any]:
        return {"buffers": self._named(self._buffers), "rates": self.rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._buffers = {
            parameter: state["buffers"][str(number)].to(parameter.device)
            for parameter, number in self._numbers().items()
            if str(number) in state["buffers"]
        }
        self.rates = list(state["rates"])


class Adam(Optimizer):
    """Adam, or AdamW with `decoupled` weight decay, as torch's with `fused=True`.

    `recordable`: the count of steps lives on the device, so that a recorded step can count on. `rates_change`: so do
    the rates of a recordable optimiser, so that a recorded step sees them change.
    """

    def __init__(
        self,
        groups: Sequence[Iterable[Parameter]],
        rates: Sequence[float],
        *,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
        decoupled: bool = False,
        recordable: bool = False,
        rates_change: bool = False,
    ) -> None:
        super().__init__(groups, rates)
        self._betas, self._weight_decay, self._decoupled, self._recordable = betas, weight_decay, decoupled, recordable
        self._moments: dict[Tensor, tuple[Tensor, Tensor, Tensor]] = {}
        self._device_rates: list[Tensor] = []
        if recordable and rates_change:
            self._device_rates = [torch.tensor(rate, device=self._groups[0][0].device) for rate in rates]

    def set_rates(self, rates: Sequence[float]) -> None:
        super().set_rates(rates)
        if self._device_rates:
            for tensor, rate in zip(self._device_rates, rates, strict=True):
                tensor.fill_(rate)

    def _update(self, group: int, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        for own in parameters:
            if own not in self._moments:
                step = torch.zeros((), device=own.device)
                self._moments[own] = (torch.zeros_like(own), torch.zeros_like(own), step)
        moments = [self._moments[own] for own in parameters]
        adam(
            parameters,
            gradients,
            [first for first, _, _ in moments],
            [second for _, second, _ in moments],
            [],
            [step for _, _, step in moments],
            foreach=False,
            fused=True,
            capturable=self._recordable,
            decoupled_weight_decay=self._decoupled,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=self._device_rates[group] if self._device_rates else self.rates[group],
            weight_decay=self._weight_decay,
            eps=_EPS,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self._named({own: list(moments) for own, moments in self._moments.items()}),
                "rates": self.rates}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._moments = {}
        for parameter, number in self._numbers().items():
            if str(number) in state["moments"]:
                first, second, step = (tensor.to(parameter.device) for tensor in state["moments"][str(number)])
                self._moments[parameter] = (first, second, step)
        self.set_rates(state["rates"])
