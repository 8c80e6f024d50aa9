"""Effects and intervals as a table's page and the index draw them, and the points of score against parameters."""

from __future__ import annotations

import io
import itertools
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from checkout import REPOSITORY
from rich.console import Console
from test_report_figures import finished
from test_report_table import cost, record

from cenbench.matrix.claim_pairs import plan_claims
from cenbench.matrix.plan import load_plan
from cenbench.report.card import finding
from cenbench.report.claims import Claims, JudgedClaim, build_claims
from cenbench.report.index import render_index_html
from cenbench.report.interval_mark import WIDTH, interval_mark, reach
from cenbench.report.judged_claims import read_judged
from cenbench.report.render_claims import FORMAT
from cenbench.report.render_html import render_html
from cenbench.report.scatter import _labelled, scatter_chart
from cenbench.report.table import build_table
from cenbench.report.table_claims import TableClaim, claim_cards, table_claims
from cenbench.report.terminal_claims import render_claims
from cenbench.stats.claims import ClaimWord
from cenbench.stats.paired import compare


def claim(
    interval: tuple[float, float] | None, word: ClaimWord | None = None, text: str = "A is better."
) -> TableClaim:
    effect = None if interval is None else sum(interval) / 2
    return TableClaim("a", text, "", "miou_pct", "rgb", effect, interval, 5, 5, 10, 10, 5, 1.0, word)


def test_a_mark_keeps_the_order_and_the_signs_of_its_numbers() -> None:
    numbers = random.Random(0)
    for _ in range(100):
        low, effect, high = sorted(numbers.uniform(-5, 5) for _ in range(3))
        mark = interval_mark(effect, (low, high), reach([low, high]), 0.5)
        assert 0 <= mark.low <= mark.at <= mark.high <= WIDTH
        assert mark.zero == WIDTH / 2
        for value, at in ((low, mark.low), (effect, mark.at), (high, mark.high)):
            assert (value > 0) == (at > mark.zero) or abs(at - mark.zero) < 0.1


def test_effects_of_one_metric_share_a_scale() -> None:
    [card] = claim_cards([claim((1.0, 3.0)), claim((2.0, 6.0))])
    (_, small), (_, large) = card.lines
    assert large.at - large.zero == pytest.approx(2 * (small.at - small.zero), abs=0.2)


def test_a_statement_on_several_outputs_is_one_card_that_is_open_where_their_verdicts_differ() -> None:
    same = claim_cards([claim((1.0, 3.0), "holds"), claim((2.0, 6.0), "holds"), claim(None)])
    assert [(len(card.lines), card.leaning) for card in same] == [(2, "for")]
    lines = [claim((1.0, 3.0), "holds"), claim((-3.0, -1.0), "contradicted")]
    mixed = claim_cards([*lines, claim((1.0, 2.0), "undecided", "B is better.")])
    assert [(len(card.lines), card.leaning) for card in mixed] == [(2, "open"), (1, "open")]


def test_the_finding_on_a_card_has_the_verdict_of_the_claim() -> None:
    equal = claim((0.05, 0.15), "equal within the margin")
    assert finding([equal]).startswith("Equal within the margin here: A is better (")
    assert finding([equal, claim((1.0, 3.0), "holds")]).startswith("Shown here: ")
    assert finding([claim((-3.0, -1.0), "contradicted")]).startswith("The opposite is shown here: ")
    assert finding([claim((-1.0, 1.0), "undecided")]).startswith("Undecided here: ")


def test_a_table_says_of_a_claim_what_the_claims_page_says() -> None:
    """For effects from overwhelming to none, a table's verdict is that of the claims page, or undecided."""
    plan = load_plan(REPOSITORY / "params", "study")
    planned = plan_claims(REPOSITORY / "params", plan)
    generator = np.random.default_rng(0)
    cells = {cell.id: cell for one in planned for cell in one.cells}
    records = {
        cell.id: record(cell, 40 + gain * (cell.fusion == "exchange") + float(generator.normal(0, 1)))
        for cell in cells.values()
        for gain in [{"half": 12.0, "all": 2.0}.get(cell.l1, 0.0)]
    }
    page = build_claims("study", planned, records, {one.spec.name: "before the run" for one in planned})
    words = {one.name: one for one in page.claims}
    seen = set()
    for name in ("table7", "table8", "table9", "table2"):
        for shown in table_claims("study", planned, plan.table(name), records):
            there = words[shown.name].comparison
            if there is None:  # about scaling factors, which these records lack
                assert shown.word is None
                continue
            seen.add(shown.word)
            assert shown.word in (words[shown.name].word, "undecided")
            assert (shown.effect, shown.interval) == (there.effect, there.interval)
    assert {"holds", "contradicted", "undecided"} <= seen


def judged(**changed: object) -> dict[str, object]:
    entry = {"text": "A is better.", "metric": "miou_pct", "stream": "rgb", "word": "holds", "margin": 1.0}
    return {**entry, "comparison": {"effect": 2.0, "interval": [1.0, 3.0]}, **changed}


def written(folder: Path, claims: object) -> Path:
    path = folder / "study" / "claims.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, "words": {"undecided": 3, "holds": 1}, "claims": claims}))
    return path


def test_the_index_shows_decided_claims_first_with_their_intervals(tmp_path: Path) -> None:
    claims = [judged(word="undecided", text="B <b>is</b> better."), judged(), judged(comparison=None)]
    found = read_judged(written(tmp_path, claims))
    assert found is not None
    assert list(found.words) == ["holds", "undecided"]
    assert [(line.text, line.leaning) for line in found.lines] == [("A is better.", "for"), (claims[0]["text"], "open")]
    assert found.lines[0].effect == "+2.00 [+1.00, +3.00]"
    page = render_index_html(tmp_path)
    assert page.index("A is better.") < page.index("B &lt;b&gt;is&lt;/b&gt; better.")
    assert "+2.00 [+1.00, +3.00]" in page


def test_many_claims_that_hold_leave_room_for_the_contradicted_ones(tmp_path: Path) -> None:
    found = read_judged(written(tmp_path, [*[judged()] * 40, judged(word="contradicted", text="B is better.")]))
    assert found is not None
    assert found.lines[-1].text == "B is better."
    assert len(found.lines) < 20


@pytest.mark.parametrize(
    "odd",
    [
        {"metric": "no-such-metric"},
        {"metric": None},
        {"word": "wonderful"},
        {"comparison": {"effect": "NaN", "interval": [0, 1]}},
        {"comparison": {"effect": 1, "interval": [0]}},
        {"comparison": 3},
        {"margin": []},
    ],
)
def test_a_claim_that_cannot_be_read_is_left_out(tmp_path: Path, odd: dict[str, object]) -> None:
    found = read_judged(written(tmp_path, [judged(**odd), judged(), "not a claim"]))
    assert found is not None
    assert len(found.lines) == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"format": 1, "words": 3, "claims": []}'])
def test_a_damaged_file_of_claims_is_left_out(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, [])
    path.write_text(text)
    assert read_judged(path) is None
    assert "No tables yet" in render_index_html(tmp_path)


def test_score_against_parameters_has_a_point_for_every_row_though_no_column_shows_parameters() -> None:
    layout = load_plan(REPOSITORY / "params", "demo").table("table7")
    records = {cell.id: record(cell, 10.0 + n, parameters=cost(n)) for n, cell in enumerate(layout.cells)}
    drawn = scatter_chart(build_table("demo", layout, records), records)
    assert drawn is not None
    assert drawn.count("<circle") == len(layout.rows)
    assert "S/U · half · exchange" in drawn
    equal = {cell.id: record(cell, 10.0 + n, parameters=cost(0)) for n, cell in enumerate(layout.cells)}
    assert scatter_chart(build_table("demo", layout, equal), equal) is None


def test_no_label_covers_another() -> None:
    numbers = random.Random(1)
    points = _labelled([("a network", numbers.uniform(60, 700), numbers.uniform(0, 200)) for n in range(30)])
    meeting = [pair for pair in itertools.combinations(points, 2) if pair[0].own_label.meets(pair[1].own_label)]
    assert len(meeting) > 30
    assert all(abs(one.label_y - other.label_y) >= 12 for one, other in meeting)


def test_a_label_that_the_right_side_has_no_room_for_stands_left_of_its_point() -> None:
    """Table 2's were cut off at the edge: its groups are named by whole sentences."""
    layout = load_plan(REPOSITORY / "params", "study").table("table2")
    records = {cell.id: record(cell, 10.0 + n / 9, parameters=cost(n)) for n, cell in enumerate(layout.cells)}
    drawn = scatter_chart(build_table("study", layout, records), records)
    assert drawn is not None
    assert "<title>Commonly used: Concat · Early</title>" in drawn
    assert "one stream after it" not in drawn
    right, left = _labelled([("a long name of a network", 300.0, 50.0), ("a long name of a network", 700.0, 90.0)])
    assert (right.side, left.side) == (1, -1)
    assert left.label_x < left.x and left.label_x - left.width > 0
    assert not right.own_label.meets(left.own_label)


@pytest.mark.parametrize(
    ("name", "heading"), [("table7", "S/U · half · exchange:"), ("table8", "Shade+Texture to RGB, Fusion:")]
)
def test_curves_of_scaling_factors_are_named_by_what_is_ranked(tmp_path: Path, name: str, heading: str) -> None:
    layout = load_plan(REPOSITORY / "params", "demo").table(name)
    files = {"history.csv": b"step,below_theta_rgb\n0,0.1\n10,0.8\n"}
    records = {cell.id: finished(cell, tmp_path, 1.0 + n, files=files) for n, cell in enumerate(layout.cells)}
    assert f"<figcaption>{heading}" in render_html(build_table("demo", layout, records), records)


WHY = "the opposite is shown by itself, but not once corrected for all 52 claims"


def judged_claim(name: str, word: str, effect: float | None) -> JudgedClaim:
    found = None if effect is None else compare([{1: effect - 1, 2: effect, 3: effect + 1}])
    return JudgedClaim(
        **{"name": name, "text": "A is better.", "source": "", "relation": "better", "metric": "miou_pct"},
        **{"stream": "ensemble", "margin": 1.0, "word": word, "why": WHY, "declared": "after numbers were seen"},
        **{"settings": ("a / b",), "seeds": 3, "cells": ("a", "b"), "finished": 2, "comparison": found},
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "name"),
    [
        (80, "shared-convs-over-unshared-translation"),
        (150, "ours-over-average-at-every-stage-translation"),
        (200, "ours-over-average-at-every-stage-translation"),
    ],
)
def test_a_terminal_breaks_no_name_and_no_effect_of_a_claim(width: int, name: str) -> None:
    claims = Claims("study", (judged_claim("waits", "undecided", None), judged_claim(name, "contradicted", -12.5)))
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render_claims(claims, width))
    text = console.export_text()
    assert re.search(rf"{name} .*−12\.50 \[", text)
    assert text.index(name) < text.index("waits")
    assert "contradicted *" in text
    assert "* declared after numbers were seen" in text
    assert max(map(len, text.splitlines())) <= width
