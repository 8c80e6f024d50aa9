"""With one seed there is no verdict: each claim shows its differences, with their interval over test images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from checkout import REPOSITORY
from rich.console import Console
from test_report_figures import finished
from test_report_table import record

from cenbench.evaluate import per_image
from cenbench.evaluate.per_image import ConfusionCollector
from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_pairs import PlannedClaim, plan_claims
from cenbench.matrix.plan import Plan, load_plan
from cenbench.records.read import CellRecord
from cenbench.report.claim_images import image_intervals
from cenbench.report.claim_texts import effect_text
from cenbench.report.claims import JudgedClaim, build_claims
from cenbench.report.render_claims import render_claims_html, render_claims_json
from cenbench.report.table_claims import table_claims
from cenbench.report.terminal_claims import render_claims

PARAMS = REPOSITORY / "params"
IMAGES = 40
Counts = Callable[[Cell, np.random.Generator], np.ndarray]


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(PARAMS, "demo")


@pytest.fixture(scope="module")
def claim(demo: Plan) -> PlannedClaim:
    return next(one for one in plan_claims(PARAMS, demo) if one.name == "exchange-over-none")


def hits_of_two_classes(hits_N: np.ndarray) -> np.ndarray:
    """(N, 2, 2) counts of images of 100 pixels a class, with as many of each class hit: IoU is hits / (200 - hits)."""
    counts_NKK = np.empty((len(hits_N), 2, 2), np.int64)
    counts_NKK[:, 0, 0] = counts_NKK[:, 1, 1] = hits_N
    counts_NKK[:, 0, 1] = counts_NKK[:, 1, 0] = 100 - hits_N
    return counts_NKK


def iou_pct(hits: float) -> float:
    """In closed form: for each class hits, as many misses as false alarms."""
    return 100 * hits / (200 - hits)


def records_with(claim: PlannedClaim, folder: Path, hits_N: Callable[[Cell], np.ndarray]) -> dict[str, CellRecord]:
    found = {}
    for cell in claim.cells:
        collector = ConfusionCollector(cell.streams, 2)
        collector.add(np.repeat(hits_of_two_classes(hits_N(cell))[:, None], len(cell.streams), axis=1))
        files = {"per_image.safetensors": per_image.to_bytes(collector.collected())}
        found[cell.id] = finished(cell, folder, iou_pct(float(hits_N(cell).mean())), files=files)
    return found


def judged(claim: PlannedClaim, records: dict[str, CellRecord]) -> JudgedClaim:
    intervals = image_intervals(claim, records)
    images = {} if intervals is None else {claim.name: intervals}
    return build_claims("demo", (claim,), records, {claim.spec.name: "before the run"}, images).claims[0]


def test_the_demo_has_one_seed(claim: PlannedClaim) -> None:
    assert claim.has_one_seed
    assert not next(one for one in plan_claims(PARAMS, load_plan(PARAMS, "study")) if one.settings).has_one_seed


def test_where_all_images_agree_their_interval_is_the_difference(claim: PlannedClaim, tmp_path: Path) -> None:
    gain = {setting.label: 4 + place for place, setting in enumerate(claim.settings)}
    better = {pair[0].id: setting.label for setting in claim.settings for pair in setting.pairs}

    def hits_N(cell: Cell) -> np.ndarray:
        return np.full(IMAGES, 50 + (gain[better[cell.id]] if cell.id in better else 0))

    found = judged(claim, records_with(claim, tmp_path, hits_N))
    assert found.one_seed is not None
    expected = {label: iou_pct(50 + hits) - iou_pct(50) for label, hits in gain.items()}
    assert {one.label: one.effect for one in found.one_seed.settings} == pytest.approx(expected)
    for one in found.one_seed.settings:
        assert one.images == pytest.approx((one.effect, one.effect))
    assert found.one_seed.effect == pytest.approx(np.mean(list(expected.values())))
    assert found.images == pytest.approx((found.one_seed.effect, found.one_seed.effect))


def test_images_are_drawn_for_both_networks_at_once(claim: PlannedClaim, tmp_path: Path) -> None:
    """Images that are hard for both say nothing against a difference; the interval is that of a loop over draws."""
    hard_N = np.random.default_rng(3).integers(0, 60, IMAGES)
    better = {pair[0].id for setting in claim.settings for pair in setting.pairs}

    def hits_N(cell: Cell) -> np.ndarray:
        return hard_N + (5 if cell.id in better else 0)

    found = judged(claim, records_with(claim, tmp_path, hits_N))
    assert found.images is not None
    generator = np.random.default_rng(11)
    drawn = [hard_N[generator.integers(0, IMAGES, IMAGES)].mean() for _ in range(4000)]
    low, high = np.quantile([iou_pct(hits + 5) - iou_pct(hits) for hits in drawn], [0.025, 0.975])
    assert found.images == pytest.approx((low, high), abs=0.05)  # the two draw 1,000 and 4,000 times
    alone = np.quantile([iou_pct(hits) for hits in drawn], [0.025, 0.975])
    assert high - low < (alone[1] - alone[0]) / 5


def test_there_is_no_verdict_and_no_interval_over_one_seed(claim: PlannedClaim, tmp_path: Path) -> None:
    better = {pair[0].id for setting in claim.settings for pair in setting.pairs}
    records = records_with(claim, tmp_path, lambda cell: np.arange(30, 30 + IMAGES) + 9 * (cell.id in better))
    found = judged(claim, records)
    assert (found.word, found.comparison, found.improvement, found.middle) == ("undecided", None, None, None)
    assert found.why == "one seed has no spread to judge by"
    assert effect_text(found).endswith("] over images")

    intervals = image_intervals(claim, records)
    assert intervals is not None
    claims = build_claims("demo", (claim,), records, {claim.spec.name: "before the run"}, {claim.name: intervals})
    page = render_claims_html(claims)
    assert "One seed: differences without a verdict" in page
    assert "Waiting for cells" not in page
    assert "Probability of improvement" not in page
    assert page.count("] over images") == 1 + len(claim.settings)
    assert '<svg class="interval open"' in page
    [document] = render_claims_json(claims)["claims"]
    assert [one["effect"] for one in document["one_seed"]["settings"]] == pytest.approx([found.one_seed.effect] * 4)  # type: ignore[union-attr]


def test_a_metric_without_sums_over_images_shows_its_difference_alone(demo: Plan) -> None:
    """FID is no mean over images."""
    claim = next(one for one in plan_claims(PARAMS, demo) if one.settings and one.spec.metric == "fid")
    better = {pair[0].id for setting in claim.settings for pair in setting.pairs}
    found = judged(claim, {cell.id: record(cell, 1.0 if cell.id in better else 1.5) for cell in claim.cells})
    assert found.one_seed is not None
    assert (found.images, effect_text(found)) == (None, "+0.500")


def test_a_claim_about_every_setting_shows_the_least_favourable_one(demo: Plan) -> None:
    claim = next(one for one in plan_claims(PARAMS, demo) if one.spec.every and len(one.settings) > 1)
    assert claim.spec.metric is not None
    sign = -1 if claim.spec.metric.startswith(("mae", "fid")) else 1
    gains = {setting.pairs[0][0].id: 2.0 for setting in claim.settings}
    worse = {setting.pairs[0][1].id: 10.0 + place for place, setting in enumerate(claim.settings)}
    numbers = {**worse, **{cell_id: 10.0 + sign * gain for cell_id, gain in gains.items()}}
    found = judged(claim, {cell.id: record(cell, numbers[cell.id]) for cell in claim.cells})
    assert found.one_seed is not None
    assert found.one_seed.effect == min(one.effect for one in found.one_seed.settings)


def test_a_tables_page_and_the_terminal_show_it_too(demo: Plan, claim: PlannedClaim, tmp_path: Path) -> None:
    better = {pair[0].id for setting in claim.settings for pair in setting.pairs}
    records = records_with(claim, tmp_path, lambda cell: np.arange(30, 30 + IMAGES) + 9 * (cell.id in better))
    others = {cell.id: record(cell, 20.0) for cell in demo.cells_of("table7")}
    [shown] = table_claims("demo", (claim,), demo.table("table7"), others | records)
    found = judged(claim, records)
    assert (shown.interval, shown.word) == (found.images, None)
    assert shown.interval_text.endswith("] over images")
    assert shown.evidence_text == "4 of 4 pairs agree, one seed: no verdict"
    claims = build_claims("demo", (claim,), records, {claim.spec.name: "before the run"})
    assert claims.claims[0].one_seed is not None
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render_claims(claims, 200))
    assert f"+{claims.claims[0].one_seed.effect:.2f}" in capture.get()
