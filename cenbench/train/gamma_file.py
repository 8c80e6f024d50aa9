"""The scaling factors of a cell's constrained norms, and the gradients with respect to them, over training. Torch-free.

One safetensors file beside the weights and the record, `gammas.safetensors`. T points of training (at most 200), M
modalities, C channels; LAYER is a module's dotted name in the network:

    step                        int64 (T,)          steps taken at each point, ascending
    theta, lambda               float64 ()          the exchange threshold, and the factor of the l1 term in the loss
    exchanges/LAYER             uint8 ()            1 if exchange follows the norm
    final/LAYER                 float32 (M, C)      the scaling factors of the evaluated network, with their sign
    path/LAYER                  float32 (T, M, C)   the same at each point, for the traced layers only
    share/LAYER                 float32 (T, M)      share of channels under theta, which exchange replaces
    small_gradient/LAYER        float32 (T, M)      share of channels whose |gradient| is under lambda
    probability/LAYER           float32 (T, M)      mean over channels of theorem 1's probability
    gradient_deciles/LAYER      float32 (T, M, 9)   deciles over channels of |gradient|
    probability_tenths          float32 (T, M, 10)  mean of theorem 1's probability in each tenth of all channels,
                                                    ordered by that probability
    small_gradient_tenths       float32 (T, M, 10)  share of channels in the same tenth whose |gradient| is under lambda

The gradient is that of the loss without the l1 term, at the last step before the point, and the scaling factors are
those after that step. Where only a modality's own part is exchanged, `share` counts only that part's channels as under
theta. Shared scaling factors are repeated for each modality. Theorem 1's probability is that of paper.md#theorem-1 with
the gradient with respect to the norm's offset, which is the sum over pixels and images of that of its output. An
imported checkpoint has no points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

FILE = "gammas.safetensors"
LARGEST_BYTES = 2 * 2**20
"""The file of a cell is not larger than this: where layers are many or wide, there are fewer points."""
MOST_POINTS = 200
DECILES, TENTHS = 9, 10
_PER_LAYER = ("final", "exchanges", "share", "small_gradient", "probability", "gradient_deciles")
_SHARES = ("share", "small_gradient", "probability")
_PER_FILE = ("step", "theta", "lambda", "probability_tenths", "small_gradient_tenths")


@dataclass(frozen=True)
class LayerGammas:
    """What is recorded of one constrained norm; see the module's table."""

    exchanges: bool
    final_MC: np.ndarray
    share_TM: np.ndarray
    small_gradient_TM: np.ndarray
    probability_TM: np.ndarray
    gradient_deciles_TMD: np.ndarray
    path_TMC: np.ndarray | None = None
    """None where the layer is not traced."""


@dataclass(frozen=True)
class Gammas:
    """What is recorded of one training; see the module's table. `layers` are in the network's order."""

    theta: float
    lambda_l1: float
    step_T: np.ndarray
    layers: Mapping[str, LayerGammas] = field(default_factory=dict)
    probability_tenths_TMD: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, TENTHS), np.float32))
    small_gradient_tenths_TMD: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, TENTHS), np.float32))

    @property
    def traced(self) -> tuple[str, ...]:
        """The layers whose scaling factors are kept at each point."""
        return tuple(name for name, layer in self.layers.items() if layer.path_TMC is not None)


def to_bytes(gammas: Gammas) -> bytes:
    """The file's content; the same gammas give the same bytes."""
    arrays = {
        "step": gammas.step_T.astype(np.int64),
        "theta": np.array(gammas.theta, np.float64),
        "lambda": np.array(gammas.lambda_l1, np.float64),
        "probability_tenths": gammas.probability_tenths_TMD,
        "small_gradient_tenths": gammas.small_gradient_tenths_TMD,
    }
    for name, layer in gammas.layers.items():
        arrays |= {
            f"exchanges/{name}": np.array(layer.exchanges, np.uint8),
            f"final/{name}": layer.final_MC,
            f"share/{name}": layer.share_TM,
            f"small_gradient/{name}": layer.small_gradient_TM,
            f"probability/{name}": layer.probability_TM,
            f"gradient_deciles/{name}": layer.gradient_deciles_TMD,
        }
        if layer.path_TMC is not None:
            arrays[f"path/{name}"] = layer.path_TMC
    return safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def from_bytes(data: bytes) -> Gammas:
    """What `to_bytes` made. ValueError where the content is not that, whatever it is."""
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"{len(data)} bytes, more than {LARGEST_BYTES}")
    try:
        arrays = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"not a safetensors file: {error}") from None
    names = sorted((name.partition("/")[2] for name in arrays if name.startswith("final/")), key=_natural)
    required = {*_PER_FILE, *(f"{kind}/{name}" for kind in _PER_LAYER for name in names)}
    if not names or (missing := sorted(required - arrays.keys())):
        raise ValueError(f"no array {missing[0]!r}" if names else "no array 'final/...'")
    if unknown := sorted(arrays.keys() - required - {f"path/{name}" for name in names}):
        raise ValueError(f"an unknown array {unknown[0]!r}")
    return _checked(arrays, names)


def _checked(arrays: Mapping[str, np.ndarray], names: list[str]) -> Gammas:
    step_T = _array(arrays, "step", np.int64, (None,))
    points, modalities = len(step_T), _array(arrays, f"final/{names[0]}", np.float32, (None, None)).shape[0]
    if points > MOST_POINTS or bool((np.diff(step_T) <= 0).any()) or bool((step_T < 1).any()):
        raise ValueError("'step' is not an ascending list of at most 200 steps")
    if modalities < 1:
        raise ValueError("scaling factors of no modality")
    tenths = (points, modalities, TENTHS)
    gammas = Gammas(
        theta=float(_array(arrays, "theta", np.float64, ())),
        lambda_l1=float(_array(arrays, "lambda", np.float64, ())),
        step_T=step_T,
        layers={name: _layer(arrays, name, points, modalities) for name in names},
        probability_tenths_TMD=_array(arrays, "probability_tenths", np.float32, tenths),
        small_gradient_tenths_TMD=_array(arrays, "small_gradient_tenths", np.float32, tenths),
    )
    _check_values(arrays)
    return gammas


def _layer(arrays: Mapping[str, np.ndarray], name: str, T: int, M: int) -> LayerGammas:
    final_MC = _array(arrays, f"final/{name}", np.float32, (M, None))
    channels, path = final_MC.shape[1], f"path/{name}"
    return LayerGammas(
        exchanges=bool(_array(arrays, f"exchanges/{name}", np.uint8, ())),
        final_MC=final_MC,
        share_TM=_array(arrays, f"share/{name}", np.float32, (T, M)),
        small_gradient_TM=_array(arrays, f"small_gradient/{name}", np.float32, (T, M)),
        probability_TM=_array(arrays, f"probability/{name}", np.float32, (T, M)),
        gradient_deciles_TMD=_array(arrays, f"gradient_deciles/{name}", np.float32, (T, M, DECILES)),
        path_TMC=_array(arrays, path, np.float32, (T, M, channels)) if path in arrays else None,
    )


def _array(arrays: Mapping[str, np.ndarray], name: str, dtype: type, shape: tuple[int | None, ...]) -> np.ndarray:
    """The array, if it is of this type and shape (None: any length)."""
    array = arrays[name]
    fits = len(array.shape) == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    if array.dtype != dtype or not fits:
        wanted = tuple("any" if length is None else length for length in shape)
        raise ValueError(f"{name!r} is {array.dtype} {array.shape}, not {np.dtype(dtype)} {wanted}")
    return array


def _check_values(arrays: Mapping[str, np.ndarray]) -> None:
    """ValueError for a number that is not finite, a share outside 0 to 1, and deciles that do not ascend from 0.

    A file has hundreds of small arrays: those of a kind are checked together.
    """
    shares = [name for name in arrays if name.endswith("_tenths") or name.partition("/")[0] in _SHARES]
    deciles = [name for name in arrays if name.startswith("gradient_deciles/")]
    _check(arrays, list(arrays), np.isfinite, "holds NaN or an infinite value")
    _check(arrays, shares, lambda share: (share >= 0) & (share <= 1), "holds a share outside 0 to 1")
    _check(arrays, deciles, lambda row: np.diff(row, prepend=0) >= 0, "holds no deciles", DECILES)


def _check(
    arrays: Mapping[str, np.ndarray],
    names: Sequence[str],
    holds: Callable[[np.ndarray], np.ndarray],
    problem: str,
    width: int = 1,
) -> None:
    """ValueError with the name of the first of these arrays in which a row of so many numbers does not hold."""
    rows = [arrays[name].reshape(-1, width) for name in names]
    if not bool(holds(np.concatenate(rows)).all()):
        wrong = next(name for name, row in zip(names, rows, strict=True) if not bool(holds(row).all()))
        raise ValueError(f"{wrong!r} {problem}")


def _natural(name: str) -> list[tuple[int, str]]:
    """Orders stage 2 before stage 10, which is the order in the network: its blocks are numbered."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
