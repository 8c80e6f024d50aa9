"""Robustness as HTML with curves, as LaTeX, CSV and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import pandas

from cenbench.matrix.condition import ACTS_ON, CLEAN, TITLES, Condition
from cenbench.matrix.metrics import metrics
from cenbench.report.csv_text import csv_text
from cenbench.report.curves import Chart, Line, chart
from cenbench.report.environment import latex_templates, page_templates
from cenbench.report.robustness import Robustness, RobustNetwork, RobustScore
from cenbench.report.value import PLUS_MINUS, difference_text, heading, number_text

FORMAT = 2
"""2: each score has the numbers of its cells."""
COLUMNS = ("network", "seed", "cell_id", "kind", "strength", "of", "stream", "metric", "value", "baseline")


@dataclass(frozen=True)
class Section:
    """One metric of one output: its curves, and its conditions by kind."""

    number: int
    stream: str
    metric: str
    heading: str
    charts: tuple[Chart, ...]
    kinds: Mapping[str, tuple[Condition, ...]]
    """Kind -> its conditions that were measured for this output."""

    @property
    def tables(self) -> list[Mapping[str, tuple[Condition, ...]]]:
        """The conditions of each table: corruptions, then absent inputs and exposures, each beside the clean images."""
        corrupted = {kind: found for kind, found in self.kinds.items() if kind in ACTS_ON}
        others = {kind: found for kind, found in self.kinds.items() if kind not in (*ACTS_ON, CLEAN.kind)}
        clean = {CLEAN.kind: (CLEAN,)}
        return [clean | kinds for kinds in (corrupted, others) if kinds]

    @property
    def legend(self) -> tuple[Line, ...]:
        """A line of each network that the charts show."""
        return tuple({line.name: line for chart in self.charts for line in chart.lines}.values())


def render_robustness_html(robustness: Robustness) -> str:
    """The page, which needs no other file."""
    page = page_templates().get_template("robustness.html")
    return page.render(robustness=robustness, sections=sections(robustness), titles=TITLES, score_text=score_text)


def render_robustness_latex(robustness: Robustness) -> str:
    """A table per output and metric; compiles on its own and can be included with \\input."""
    template = latex_templates().get_template("robustness.tex")
    return template.render(robustness=robustness, sections=sections(robustness), titles=TITLES, mean_text=mean_text)


def render_robustness_csv(robustness: Robustness) -> str:
    """One line per cell, condition, output and metric; numbers are unrounded."""
    lines = [
        {
            **{"network": network.name, "stream": score.stream, "metric": score.metric},
            **asdict(score.condition),
            **asdict(cell),
        }
        for network in robustness.networks
        for score in network.scores
        for cell in score.cells
    ]
    return csv_text(pandas.DataFrame(lines, columns=list(COLUMNS)))


def render_robustness_json(robustness: Robustness) -> dict[str, Any]:
    """Everything, as plain values."""
    return {"format": FORMAT, **asdict(robustness)}


def sections(robustness: Robustness) -> list[Section]:
    """One per output and metric that is shown."""
    return [
        Section(
            number,
            stream,
            metric,
            f"{heading(metric)}, {stream}",
            tuple(_charts(robustness, stream, metric)),
            _kinds(robustness, stream, metric),
        )
        for number, (stream, metric) in enumerate(robustness.shown, start=1)
    ]


def _kinds(robustness: Robustness, stream: str, metric: str) -> dict[str, tuple[Condition, ...]]:
    measured = [
        condition
        for condition in robustness.conditions
        if any(network.score(condition, stream, metric) for network in robustness.networks)
    ]
    return {kind: tuple(found) for kind, found in groupby(measured, key=lambda condition: condition.kind)}


def _charts(robustness: Robustness, stream: str, metric: str) -> list[Chart]:
    """Score against strength, for each kind of corruption; a line per network that has every strength."""
    places = {network.name: place for place, network in enumerate(robustness.networks)}
    charts = []
    for kind, conditions in _kinds(robustness, stream, metric).items():
        if kind not in ACTS_ON:
            continue
        lines = {
            network.name: [score.mean for score in scores]
            for network in robustness.networks
            if (scores := _line(network, (CLEAN, *conditions), stream, metric)) is not None
        }
        if lines:
            strengths = [condition.strength for condition in (CLEAN, *conditions)]
            charts.append(chart(TITLES[kind], strengths, lines, x_name="strength", places=places, from_zero=False))
    return charts


def _line(
    network: RobustNetwork, conditions: Sequence[Condition], stream: str, metric: str
) -> list[RobustScore] | None:
    scores = [network.score(condition, stream, metric) for condition in conditions]
    known = [score for score in scores if score is not None]
    return known if len(known) == len(scores) else None


def mean_text(network: RobustNetwork, condition: Condition, section: Section) -> str:
    """The mean; empty where nothing was measured."""
    score = network.score(condition, section.stream, section.metric)
    return "" if score is None else number_text(score.metric, score.mean)


def score_text(network: RobustNetwork, condition: Condition, section: Section) -> tuple[str, str]:
    """Mean with spread, and how much worse it is than without corruption."""
    score = network.score(condition, section.stream, section.metric)
    if score is None:
        return "", ""
    spread = "" if score.spread is None else f" {PLUS_MINUS} {number_text(score.metric, score.spread)}"
    drop = "" if condition == condition.baseline else drop_text(score)
    return number_text(score.metric, score.mean) + spread, drop


def drop_text(score: RobustScore) -> str:
    """The change in the metric's own direction: `−3.1` for a mean IoU that fell by that; no sign where it is zero."""
    change = -score.drop if metrics()[score.metric].better == "higher" else score.drop
    return difference_text(score.metric, change)
