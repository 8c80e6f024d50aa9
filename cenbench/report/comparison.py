"""Two of anything, compared: one frozen object that the terminal, the page and the JSON are rendered from."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cenbench.matrix.cell import Cell
from cenbench.matrix.metrics import metrics
from cenbench.matrix.verdict_rules import setting_differences
from cenbench.records.read import State
from cenbench.records.saved import SavedRecord
from cenbench.report.changed_images import ChangedImage, changed_images
from cenbench.report.sides import Place, Side
from cenbench.stats.change import Change, ChangeWord, change, change_words

_ENVIRONMENT = ("python", "platform", "device", "cuda", "driver", "revision", "container", "threads")


@dataclass(frozen=True)
class ComparedNumber:
    """One number on both sides, in the metric's unit; the effect is positive where B is better."""

    place: Place
    metric: str
    a: float
    b: float
    effect: float
    interval: tuple[float, float] | None
    """95 % t interval of the effect over paired seeds; None for a single seed."""
    seeds: int
    margin: float | None
    word: ChangeWord


@dataclass(frozen=True)
class ComparedClass:
    """IoU of one class in percent, the mean over the seeds that both sides have."""

    place: Place
    name: str
    a: float
    b: float


@dataclass(frozen=True)
class SideComparison:
    """What differs between two sides, and what became of every number that both have."""

    a: str
    b: str
    settings: Mapping[str, int]
    """Setting with both values -> in how many places it differs."""
    code: tuple[str, ...]
    """Which digests differ, and for how many cells."""
    environment: tuple[str, ...]
    numbers: tuple[ComparedNumber, ...]
    classes: tuple[ComparedClass, ...]
    only_a: int
    """Values, one per seed, that only A has."""
    only_b: int
    lacking: Mapping[State, int]
    """State of B's records that have no such value -> how many cells; cells that B does not ask for are not counted."""
    images: tuple[ChangedImage, ...] = ()
    """Test images whose scores moved most, largest first."""
    damaged_a: Mapping[str, str] = field(default_factory=dict)
    """Id of each cell of A with a damaged record, whose numbers are not compared -> what is wrong with it."""
    damaged_b: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> dict[str, int]:
        """How many numbers get each word, the most frequent first."""
        return dict(Counter(number.word for number in self.numbers).most_common())

    @property
    def moved(self) -> tuple[ComparedNumber, ...]:
        return tuple(number for number in self.numbers if number.word != "same")


def build_comparison(a: Side, b: Side, margins: Mapping[str, float]) -> SideComparison:
    """Compare every number that stands in the same place on both sides. Raises nothing; both may be empty."""
    found: list[tuple[Place, str, Change, float | None]] = []
    only_a, only_b, lacking = 0, 0, dict[str, State]()
    for place in dict.fromkeys((*a.places, *b.places)):
        for metric in dict.fromkeys((*a.metrics.get(place, ()), *b.metrics.get(place, ()))):
            before, after = a.numbers(place, metric), b.numbers(place, metric)
            described = metrics()[metric]
            better = described.better == "higher"
            one = change(before, after, higher_is_better=better, counted=described.is_cost)
            if one is not None:
                margin = None if _has_stand_in(a, place, metric) else margins.get(metric)
                found.append((place, metric, one, margin))
            lost = before.keys() - after.keys()
            only_a, only_b = only_a + len(lost), only_b + len(after.keys() - before.keys())
            lacking |= {cell.id: b.state(cell) for cell in b.cells(place) if cell.seed in lost}
    words = change_words([one for _, _, one, _ in found], [margin for *_, margin in found])
    numbers = tuple(
        ComparedNumber(
            place, metric, one.a, one.b, one.effect, one.comparison.interval if one.comparison else None, one.seeds,
            margin, word,
        )
        for (place, metric, one, margin), word in zip(found, words, strict=True)
    )  # fmt: skip
    return SideComparison(
        a.name, b.name, _settings(a, b), tuple(_code(a, b)), tuple(_environment(a, b)), numbers,
        tuple(_classes(a, b)), only_a, only_b, dict(Counter(lacking.values())),
        changed_images(_records(a, b)), a.damaged, b.damaged,
    )  # fmt: skip


def _has_stand_in(side: Side, place: Place, metric: str) -> bool:
    """Whether the metric has another unit there than the one its margin is declared in."""
    records = (side.records.get(cell.id) for cell in side.places[place][1])
    return any(metric in record.stand_in for record in records if record is not None)


def _pairs(a: Side, b: Side) -> Iterator[tuple[Place, Cell, Cell]]:
    """The cells of equal place and seed."""
    for place in (place for place in a.places if place in b.places):
        others = {cell.seed: cell for cell in b.places[place][1]}
        for cell in a.places[place][1]:
            if cell.seed in others:
                yield place, cell, others[cell.seed]


def _settings(a: Side, b: Side) -> dict[str, int]:
    known: dict[tuple[str, str], list[str]] = {}
    counts: Counter[str] = Counter()
    places: set[Place] = set()
    for place, cell, other in _pairs(a, b):
        if place in places:
            continue
        places.add(place)
        key = (cell.id, other.id)
        if key not in known:
            known[key] = setting_differences(cell, other)
        counts.update(known[key])
    return dict(counts.most_common())


def _records(a: Side, b: Side) -> Iterator[tuple[str, str, SavedRecord, SavedRecord]]:
    """The records of equal place and seed, with their cells' ids."""
    pairs = {(cell.id, other.id) for _, cell, other in _pairs(a, b)}
    for first, second in sorted(pairs):
        if first in a.records and second in b.records:
            yield first, second, a.records[first], b.records[second]


def _code(a: Side, b: Side) -> Iterator[str]:
    """A digest of another cell differs anyway, so only those of equal names are told."""
    counts, with_settings = Counter[str](), Counter[str]()
    total = 0
    for cell, other_cell, one, other in _records(a, b):
        total += 1
        names = [name for name, value in one.digests.items() if other.digests.get(name) != value]
        counts.update(names)
        with_settings.update(names if cell != other_cell else [])
    for name, count in counts.items():
        settings = with_settings[name]
        which = "these" if settings == count else f"{settings} of these"
        why = f"; the settings of {which} also differ, which may be the reason" if settings else ""
        yield f"{name}: differs for {count} of {total} cells{why}"


def _environment(a: Side, b: Side) -> Iterator[str]:
    """Every property whose values differ between the sides' finished cells."""
    seen: dict[str, tuple[set[str], set[str]]] = {}
    for place, records in enumerate((a.records.values(), b.records.values())):
        for record in records:
            for name, value in _described(record):
                seen.setdefault(name, (set(), set()))[place].add(value)
    for name, (first, second) in seen.items():
        if first and second and first != second:
            yield f"{name}: {', '.join(sorted(first))} / {', '.join(sorted(second))}"


def _described(record: SavedRecord) -> Iterator[tuple[str, str]]:
    for name in _ENVIRONMENT:
        if record.provenance.get(name) is not None:
            yield name, str(record.provenance[name])
    packages = record.provenance.get("packages")
    if isinstance(packages, dict):
        yield from ((str(name), str(version)) for name, version in packages.items())


def _classes(a: Side, b: Side) -> Iterator[ComparedClass]:
    found: dict[Place, dict[str, list[tuple[float, float]]]] = {}
    for place, cell, other in _pairs(a, b):
        first, second = a.records.get(cell.id), b.records.get(other.id)
        if first is None or second is None:
            continue
        before = first.per_class_iou_pct.get(a.places[place][0], {})
        after = second.per_class_iou_pct.get(b.places[place][0], {})
        for name, value in before.items():
            other_value = after.get(name)
            if value is not None and other_value is not None:
                found.setdefault(place, {}).setdefault(name, []).append((value, other_value))
    for place, classes in found.items():
        for name, values in classes.items():
            means = [statistics.fmean(pair[side] for pair in values) for side in (0, 1)]
            yield ComparedClass(place, name, means[0], means[1])
