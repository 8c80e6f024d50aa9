"""How networks do with corrupted and absent inputs: one frozen object that every output is rendered from."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cenbench.matrix.cell import ENSEMBLE, MERGED_STREAMS, Cell
from cenbench.matrix.condition import TITLES, Condition
from cenbench.matrix.metrics import metrics
from cenbench.matrix.plan import Plan
from cenbench.matrix.robustness import RobustnessPlan
from cenbench.records.robustness import RobustnessRecord

_VARYING = ("task", "fusion", "stage", "merged", "convs", "norms", "l1")


@dataclass(frozen=True)
class SeedScore:
    """The number of one cell, in the metric's unit."""

    seed: int
    cell_id: str
    value: float
    baseline: float
    """Under the condition's baseline: the clean images, or the scenes of normal exposure."""


@dataclass(frozen=True)
class RobustScore:
    """One metric of one output under one condition, in the metric's unit."""

    condition: Condition
    stream: str
    metric: str
    mean: float
    spread: float | None
    """Standard deviation over the seeds (n - 1); None with fewer than two."""
    drop: float
    """Mean over the seeds of how much worse it is than under the condition's baseline; negative where it is better."""
    cells: tuple[SeedScore, ...]
    """Those that are evaluated."""

    @property
    def seeds(self) -> int:
        """How many it is the mean of."""
        return len(self.cells)


@dataclass(frozen=True)
class RobustNetwork:
    """One network, whose cells differ in their seeds."""

    name: str
    cells: tuple[str, ...]
    finished: int
    """How many of its cells are evaluated, and up to date."""
    scores: tuple[RobustScore, ...]

    def score(self, condition: Condition, stream: str, metric: str) -> RobustScore | None:
        """The score, if it was measured."""
        wanted = (condition, stream, metric)
        return next((one for one in self.scores if (one.condition, one.stream, one.metric) == wanted), None)


@dataclass(frozen=True)
class Robustness:
    """The networks of a preset under every condition."""

    preset: str
    networks: tuple[RobustNetwork, ...]
    conditions: tuple[Condition, ...]
    shown: tuple[tuple[str, str], ...]
    """(output, metric) of each table and its curves: the metrics of the networks' own tables, the ensemble first.

    The one stream of networks that merge is left out, since their ensemble equals it.
    """
    states: Mapping[str, int]
    problems: Mapping[str, str]
    """Id of a cell without scores -> why."""


def build_robustness(plan: Plan, planned: RobustnessPlan, records: Mapping[str, RobustnessRecord]) -> Robustness:
    """Mean, spread and drop of every score; `records` holds every planned cell."""
    rows = list(_rows(plan, planned))
    names = network_names([cells[0] for cells, _ in rows])
    networks = tuple(_network(name, cells, planned, records) for name, (cells, _) in zip(names, rows, strict=True))
    found = {score.condition: None for network in networks for score in network.scores}
    order = {condition: None for cell in planned.cells.values() for condition in planned.spec.conditions(cell)}
    wanted = dict.fromkeys(metric for _, named in rows for metric in named)
    measured_streams = (score.stream for network in networks for score in network.scores)
    streams = dict.fromkeys((ENSEMBLE, *(stream for stream in measured_streams if stream != MERGED_STREAMS[0])))
    measured = {(score.stream, score.metric) for network in networks for score in network.scores}
    return Robustness(
        preset=plan.preset,
        networks=networks,
        conditions=tuple(sorted(found, key=lambda one: ([*TITLES].index(one.kind), [*order].index(one)))),
        shown=tuple((stream, metric) for stream in streams for metric in wanted if (stream, metric) in measured),
        states=dict(Counter(records[cell_id].state for cell_id in planned.cells).most_common()),
        problems={
            cell_id: f"{records[cell_id].state}: {records[cell_id].reason}"
            for cell_id in planned.cells
            if records[cell_id].state != "ok"
        },
    )


def network_names(cells: Sequence[Cell]) -> list[str]:
    """A name for each network: its method, and every other setting in which the networks differ."""
    settings = [{name: cell.settings.get(name) for name in _VARYING} for cell in cells]
    varying = [name for name in _VARYING if len({str(one[name]) for one in settings}) > 1]
    return [", ".join(_words(one, varying)) for one in settings]


def _words(settings: Mapping[str, object], varying: Sequence[str]) -> Iterator[str]:
    yield str(settings["fusion"])
    if "task" in varying:
        yield str(settings["task"])
    if "merged" in varying and settings["merged"]:
        yield "merged"
    for name in ("convs", "norms"):
        if name in varying:
            yield f"{settings[name]} {name}"
    for name in ("stage", "l1"):
        if name in varying:
            yield f"{name} {settings[name]}"


def _rows(plan: Plan, planned: RobustnessPlan) -> Iterator[tuple[tuple[Cell, ...], tuple[str, ...]]]:
    """The cells of each network, one per seed, each network once; and the metrics of the table that shows it first."""
    seen: set[tuple[str, ...]] = set()
    for layout in plan.tables:
        named = tuple(metric for metric in layout.metrics if not metrics()[metric].is_cost)
        for slot in layout.slots:
            ids = tuple(cell.id for cell in slot.cells)
            if ids and ids not in seen and all(cell_id in planned.cells for cell_id in ids):
                seen.add(ids)
                yield slot.cells, named


def _network(
    name: str, cells: Sequence[Cell], planned: RobustnessPlan, records: Mapping[str, RobustnessRecord]
) -> RobustNetwork:
    finished = [(cell, records[cell.id]) for cell in cells if records[cell.id].state == "ok"]
    scores = []
    for condition in planned.spec.conditions(cells[0]):
        measured = finished[0][1].scores.get(condition.key, {}) if finished else {}
        for stream, values in measured.items():
            known = (metric for metric in values if metric in metrics())
            scores += [one for metric in known if (one := _score(finished, condition, stream, metric)) is not None]
    return RobustNetwork(name, tuple(cell.id for cell in cells), len(finished), tuple(scores))


def _score(
    finished: Sequence[tuple[Cell, RobustnessRecord]], condition: Condition, stream: str, metric: str
) -> RobustScore | None:
    scores = [
        SeedScore(cell.seed, cell.id, value, baseline)
        for cell, record in finished
        if (value := record.number(condition, stream, metric)) is not None
        and (baseline := record.number(condition.baseline, stream, metric)) is not None
    ]
    if not scores:
        return None
    values = [score.value for score in scores]
    sign = 1 if metrics()[metric].better == "higher" else -1
    drop = statistics.fmean(sign * (score.baseline - score.value) for score in scores)
    spread = statistics.stdev(values) if len(values) > 1 else None
    return RobustScore(condition, stream, metric, statistics.fmean(values), spread, drop, tuple(scores))
