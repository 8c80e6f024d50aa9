"""The metrics there are, as the files of `cenbench/metrics` declare them. Parsed, not imported: no torch here."""
# changes no number: which metrics a task has is among what a digest is asked of

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from cenbench.errors import UserError
from cenbench.matrix.declared import check_defines, constant_key, describe_constant, read_constants

Needs = Literal["confusion", "thin", "boundaries", "features", "pixels", "edges", "network", "exchange", "gammas"]
Better = Literal["higher", "lower", "neither"]
_FOLDER = Path(__file__).parents[1] / "metrics"
_MEASURED: dict[str, tuple[Needs, ...]] = {
    "segmentation": ("confusion", "thin", "boundaries"),
    "translation": ("features", "pixels", "edges"),
}
"""Kind of task -> what its metrics are computed from, besides the network."""
_ROUNDING = 1e-3
"""By how much a metric may be outside of its limits: FID is a difference of large numbers."""
_COMPUTE: dict[Needs, tuple[str, ...]] = {
    "confusion": ("confusion_KK",),
    "thin": ("confusion_LL",),
    "boundaries": ("confusion_LL",),
    "features": ("sets",),
    "pixels": ("total", "count"),
    "edges": ("errors",),
    "network": ("counts",),
    "exchange": ("overall", "stream"),
    "gammas": ("gammas",),
}
"""What `compute` is given, as `cenbench/metrics/__init__.py` explains it."""


@dataclass(frozen=True)
class Metric:
    """What a metric's file declares; see `cenbench/metrics/__init__.py`."""

    name: str
    title: str
    unit: str
    better: Better
    decimals: int
    needs: Needs
    perfect: float | None

    @property
    def is_cost(self) -> bool:
        """Whether it is counted on the network, not measured on data: equal for all seeds, and no row is best."""
        return self.needs == "network"

    @property
    def is_ranked(self) -> bool:
        """Whether one of several numbers is the best."""
        return not self.is_cost and self.better != "neither"


@cache
def metrics() -> dict[str, Metric]:
    """Key -> metric, by what they need, then in the order of names. `UserError` for a file that lacks a declaration."""
    found = [_read(path) for path in _FOLDER.glob("*.py") if not path.name.startswith(("_", "."))]
    order = get_args(Needs)
    return {
        metric.name: metric for metric in sorted(found, key=lambda metric: (order.index(metric.needs), metric.name))
    }


def metrics_that_need(*needs: Needs) -> tuple[str, ...]:
    """The keys of the metrics that are computed from any of these."""
    return tuple(name for name, metric in metrics().items() if metric.needs in needs)


def measured_metrics(kind: str) -> tuple[str, ...]:
    """The keys of the metrics that a cell of this kind of task is measured by, costs left out."""
    return metrics_that_need(*_MEASURED[kind])


def share_limits(name: str) -> tuple[float, float] | None:
    """The smallest and the largest number of a metric that is a share in %; None for any other metric."""
    return (0.0, 100.0) if metrics()[name].unit == "%" else None


def is_possible(name: str, value: float) -> bool:
    """Whether a metric can have this value, but for rounding."""
    low, high = limits(name)
    return low - _ROUNDING <= value <= high + _ROUNDING


def limits(name: str) -> tuple[float, float]:
    """The smallest and the largest value of a metric: those of a share, and that of a perfect prediction."""
    metric = metrics()[name]
    low, high = share_limits(name) or (-math.inf, math.inf)
    if metric.perfect is not None and metric.better == "higher":
        high = min(high, metric.perfect)
    if metric.perfect is not None and metric.better == "lower":
        low = max(low, metric.perfect)
    return low, high


def check_margin(name: str, margin: float) -> None:
    """Raise ValueError for a margin that no difference can exceed: every claim about it would hold, or none."""
    if metrics()[name].unit == "%" and margin >= 100:
        raise ValueError(f"a margin of {margin:g} for {name}, which is in %: no difference is that large")


def _read(path: Path) -> Metric:
    constants = read_constants(path)
    for name, fits, expected in (
        ("TITLE", _is_text(constants.get("TITLE")) and constants["TITLE"], "a heading"),
        ("UNIT", _is_text(constants.get("UNIT")), 'a unit, or "" for none'),
        ("BETTER", constants.get("BETTER") in get_args(Better), _words(Better)),
        ("DECIMALS", _is_digit(constants.get("DECIMALS")), "a whole number from 0 to 9"),
        ("NEEDS", constants.get("NEEDS") in get_args(Needs), _words(Needs)),
        ("PERFECT", "PERFECT" in constants and _is_number_or_none(constants["PERFECT"]), "a number or None"),
    ):
        if not fits:
            raise UserError(
                "a metric's file must declare this",
                where=path,
                key=constant_key(path, name),
                found=describe_constant(constants, name),
                expected=expected,
                fix=f"see {_FOLDER / '__init__.py'}; files that are not metrics belong in {_FOLDER / 'inputs'}",
            )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        raise UserError("a metric's file must be named after the metric's key", where=path, expected="a-z, 0-9 and _")
    fix = f"see {_FOLDER / '__init__.py'}"
    check_defines(path, "compute", _COMPUTE[constants["NEEDS"]], fix)
    if constants["NEEDS"] == "pixels":
        check_defines(path, "values", ("image_BSCHW", "target_BCHW"), fix)
    values = (constants[name] for name in ("TITLE", "UNIT", "BETTER", "DECIMALS", "NEEDS", "PERFECT"))
    return Metric(path.stem, *values)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_digit(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 9


def _is_number_or_none(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value))


def _words(choices: Any) -> str:
    return ", ".join(map(repr, get_args(choices)))
