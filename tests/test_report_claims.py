"""Claims judged from records: the words, the numbers beside them, when they were declared, and every output."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import REPOSITORY
from markupsafe import escape
from rich.console import Console
from scipy import stats
from test_report_table import cost, record
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.evaluate.per_image import ConfusionCollector
from cenbench.files import read_json_object, write_json
from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_pairs import PlannedClaim, Setting, plan_claims
from cenbench.matrix.claims import ClaimSpec, load_claims
from cenbench.matrix.plan import Plan, load_plan
from cenbench.paths import Paths
from cenbench.records.corollary import CorollaryRecord
from cenbench.records.per_image import dense_counts
from cenbench.records.read import CellRecord
from cenbench.records.registration import Declared, claim_digests, declared, register, why_unregistered
from cenbench.records.robustness import RobustnessRecord
from cenbench.report.claim_texts import effect_text, metric_text
from cenbench.report.claims import Claims, JudgedClaim, build_claims
from cenbench.report.index import render_index_html
from cenbench.report.pages import render_claims_page
from cenbench.report.readme_claims import claims_markdown, finding, parts, read_published, with_part
from cenbench.report.render_claims import claim_files, render_claims_html, render_claims_json, render_claims_latex
from cenbench.report.terminal_claims import render_claims

PARAMS = REPOSITORY / "params"
NAME = "exchange-over-none"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(PARAMS, "study")


@pytest.fixture(scope="module")
def planned(plan: Plan) -> tuple[PlannedClaim, ...]:
    return plan_claims(PARAMS, plan)


def records_of(planned: tuple[PlannedClaim, ...], number: Callable[[Cell], float | None]) -> dict[str, CellRecord]:
    cells = {cell.id: cell for claim in planned for cell in claim.cells}
    found = {}
    for cell in cells.values():
        value = number(cell)
        found[cell.id] = record(cell, value) if value is not None else record(cell, None, "missing", "not run yet")
    return found


def built(
    planned: tuple[PlannedClaim, ...], records: Mapping[str, CellRecord], when: Declared = "before the run"
) -> Claims:
    return build_claims("study", planned, records, {claim.spec.name: when for claim in planned})


def one(claims: Claims, name: str = NAME) -> JudgedClaim:
    return next(claim for claim in claims.claims if claim.name == name)


def helpful(cell: Cell) -> float:
    """Exchange is ten points better in segmentation and ten FID lower; seeds scatter a little, and differently."""
    generator = np.random.default_rng([cell.seed, len(cell.slug), ord(cell.convs[0]), ord(cell.l1[0])])
    sign = 1 if cell.task.kind == "segmentation" else -1
    return float(40 + sign * 10 * (cell.fusion == "exchange") + generator.normal(0, 0.05))


def test_an_effect_that_is_there_holds_and_its_numbers_are_scipys(planned: tuple[PlannedClaim, ...]) -> None:
    [claim] = [claim for claim in planned if claim.name == "half-over-all-shared"]
    records = records_of(planned, lambda cell: helpful(cell) + 3 * (cell.l1 == "half"))
    found = one(built(planned, records), claim.name)
    values = [
        [records[pair[side].id].metrics["ensemble"]["miou_pct"] for pair in claim.settings[0].pairs] for side in (0, 1)
    ]
    reference = stats.ttest_rel(values[0], values[1])
    assert found.comparison is not None
    assert found.comparison.effect == pytest.approx(np.mean(values[0]) - np.mean(values[1]))
    low, high = reference.confidence_interval(0.95)
    assert found.comparison.interval == pytest.approx((low, high))
    assert found.improvement is not None
    assert found.improvement.value == 1.0


def test_the_words_follow_the_numbers_whichever_direction_is_better(planned: tuple[PlannedClaim, ...]) -> None:
    claims = built(planned, records_of(planned, helpful))
    assert one(claims).word == "holds"
    assert one(claims, "fusion-over-parallel-translation").comparison is not None
    assert one(claims, "fusion-over-parallel-translation").comparison.effect == pytest.approx(10, abs=0.3)  # type: ignore[union-attr]
    against = built(planned, records_of(planned, lambda cell: 80 - helpful(cell)))
    assert one(against).word == "contradicted"
    noise = np.random.default_rng(0)
    undecided = built(planned, records_of(planned, lambda cell: float(noise.normal(40, 5))))
    assert one(undecided).word == "undecided"
    assert re.search(r"about \d+ seeds would show the margin|neither show nor exclude|by itself", one(undecided).why)


@pytest.mark.parametrize(
    ("sign", "expected"), [(1, "seeds would show the margin"), (-1, "neither show nor exclude it")]
)
def test_no_seeds_are_promised_where_these_show_the_opposite_by_the_margin(
    planned: tuple[PlannedClaim, ...], sign: int, expected: str
) -> None:
    differences = {1: 9.0, 2: -5.0, 3: 9.0, 4: -5.0, 5: 2.0}  # 2 on average, beyond the margin of 1
    records = records_of(planned, lambda cell: 40 + sign * differences[cell.seed] * (cell.fusion == "exchange"))
    found = one(built(planned, records), "method-over-separate-networks")
    assert found.comparison is not None
    assert (found.word, found.comparison.effect) == ("undecided", pytest.approx(sign * 2))
    assert expected in found.why
    assert (found.seeds_needed is None) == (sign < 0)


def test_what_is_shown_only_without_the_correction_says_so(planned: tuple[PlannedClaim, ...]) -> None:
    """Corrected for every claim that the preset judges, whether its cells are finished or not."""
    name = "private-norms-over-shared"
    [claim] = [claim for claim in planned if claim.name == name]
    gains = dict(zip(range(1, 6), (1.6, 2.1, 2.4, 3.1, 3.3), strict=True))
    records = records_of(
        planned, lambda cell: 40.0 + gains[cell.seed] * (cell.norms == "unshared") if cell in claim.cells else None
    )
    found = one(built(planned, records), name)
    family = sum(bool(one.settings) for one in planned if one.spec.check is None)
    assert found.word == "undecided"
    assert found.why == f"shown by itself, but not once corrected for all {family} claims"
    assert one(built((claim,), records), name).word == "holds"


def test_pure_noise_makes_no_claim_hold(planned: tuple[PlannedClaim, ...]) -> None:
    generator = np.random.default_rng(4)
    claims = built(planned, records_of(planned, lambda cell: float(generator.normal(40, 2))))
    assert {claim.word for claim in claims.judged} <= {"undecided", "equal within the margin"}


def test_a_claim_under_a_condition_compares_what_is_lost(planned: tuple[PlannedClaim, ...]) -> None:
    """Exchange is worse by ten, but loses two where the others lose five, give or take the seed's tenth."""
    name = "robust-to-depth-noise"
    [claim] = [claim for claim in planned if claim.name == name]
    records = records_of(planned, helpful)
    robustness = {}
    for cell in claim.cells:
        clean = 40.0 - 10 * (cell.fusion == "exchange")
        lost = (2.0 if cell.fusion == "exchange" else 5.0) + 0.1 * cell.seed * (cell.fusion == "exchange")
        scores = {"clean": clean, "depth_noise=0.4": clean - lost}
        robustness[cell.id] = RobustnessRecord(
            "ok", scores={key: {"ensemble": {"miou_pct": value}} for key, value in scores.items()}
        )
    when: dict[str, Declared] = {claim.spec.name: "before the run" for claim in planned}
    found = one(build_claims("study", planned, records, when, robustness=robustness), name)
    assert found.word == "holds"
    assert found.comparison is not None
    assert found.comparison.effect == pytest.approx(5 - 2 - 0.1 * np.mean([1, 2, 3, 4, 5]))
    assert metric_text(found) == "Mean IoU (%), ensemble, change under depth_noise=0.4"
    first = claim.cells[0].id
    robustness[first] = RobustnessRecord("stale", "other weights were evaluated", robustness[first].scores)
    undecided = one(build_claims("study", planned, records, when, robustness=robustness), name)
    assert (undecided.word, undecided.why) == ("undecided", "14 of 15 cells are evaluated under depth_noise=0.4")


def test_a_claim_against_a_number_is_judged_by_its_own_cells(
    planned: tuple[PlannedClaim, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 15 % may recover, by five points: 6 % holds, 30 % is the opposite, 12 % is not enough."""
    [claim] = [claim for claim in planned if claim.name == "small-gamma-stays-small"]
    assert {cell.l1 for cell in claim.cells} == {"half", "all"}
    assert all(better is worse for setting in claim.settings for better, worse in setting.pairs)
    assert len(claim.settings) == 8, "rows 4 to 11 of table 7"
    for percent, word in ((6.0, "holds"), (30.0, "contradicted"), (12.0, "equal within the margin")):
        monkeypatch.setattr(
            "cenbench.report.claim_numbers.gamma_numbers",
            lambda record, stream, percent=percent: {"recovered_pct": percent + 0.1 * record.cell.seed},
        )
        found = one(built(planned, records_of(planned, helpful)), claim.name)
        assert found.word == word
        assert found.comparison is not None
        assert found.comparison.effect == pytest.approx(15 - percent - 0.1 * np.mean([1, 2, 3, 4, 5]))
        assert found.improvement is None
        assert "against 15" in metric_text(found)


def test_an_unfinished_claim_is_not_judged(planned: tuple[PlannedClaim, ...]) -> None:
    claims = built(planned, records_of(planned, lambda cell: None if cell.seed == 2 else helpful(cell)))
    found = one(claims)
    assert (found.word, found.comparison) == ("undecided", None)
    assert found.why == "32 of 40 cells have a number that counts"


def test_claims_without_scatter_or_with_one_seed_are_undecided(planned: tuple[PlannedClaim, ...]) -> None:
    claims = built(planned, records_of(planned, lambda cell: 40.0 + (cell.fusion == "exchange")))
    assert one(claims).word == "undecided"
    assert one(claims).why.startswith("all seeds show +1; about ")
    fid = one(claims, "fusion-over-parallel-translation")
    assert (fid.word, fid.comparison) == ("undecided", None)
    assert fid.why.startswith("every seed shows -1: without spread")


def test_a_cost_is_counted_so_one_seed_decides_it(planned: tuple[PlannedClaim, ...]) -> None:
    [claim] = [claim for claim in planned if claim.name == NAME]
    spec = claim.spec.model_copy(update={"metric": "params_m", "relation": "equal", "margin": 0.01})
    first = replace(claim.settings[0], pairs=claim.settings[0].pairs[:1])
    of_costs = replace(claim, spec=spec, settings=(first,))
    for more, word in ((0, "holds"), (1, "contradicted")):
        records = {
            cell.id: record(cell, 40.0, parameters=cost(more * (cell.fusion == "exchange"))) for cell in of_costs.cells
        }
        found = one(built((of_costs,), records))
        assert (found.word, found.why, found.seeds) == (word, "counted on the networks, equal for all seeds", 1)
        assert found.comparison is not None
        assert found.comparison.interval == pytest.approx((-more, -more))
        assert "counted on the networks" in render_claims_html(Claims("study", (found,)))


def test_a_share_that_is_zero_in_every_seed_is_judged_exactly(
    planned: tuple[PlannedClaim, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 of 5 seeds: Clopper and Pearson's bound of 52 % is no evidence of at most 15 %; with 23 seeds it is."""
    numbers = {"recovered_pct": 0.0}
    monkeypatch.setattr("cenbench.report.claim_numbers.gamma_numbers", lambda record, stream: numbers)
    found = one(built(planned, records_of(planned, helpful)), "small-gamma-stays-small")
    bound = stats.binomtest(0, 5).proportion_ci(0.95, "exact").high
    assert found.comparison is not None
    assert found.comparison.effect == 15
    assert found.comparison.interval == pytest.approx((15 - 100 * bound, 15))
    assert (found.word, found.seeds_needed) == ("undecided", 23)
    assert found.why == "all seeds show +15; about 23 that do would decide it"
    page = render_claims_html(Claims("study", (found,)))
    assert "Exact interval (95 %), as all seeds agree" in page
    assert "about 23 that all show the same" in page


def test_what_waits_for_a_measurement_says_so(planned: tuple[PlannedClaim, ...]) -> None:
    claims = built(planned, records_of(planned, helpful))
    assert {claim.name: claim for claim in claims.others}["more-modalities-than-one"].word == "not judged here"
    waiting = ClaimSpec(name="later", text="Later.", source="ours", needs="a measurement")
    [found] = built((PlannedClaim(waiting, "ensemble", (), "not measured yet: a measurement"),), {}).claims
    assert (found.word, found.why) == ("not measured yet", "not measured yet: a measurement")


def test_a_check_holds_once_every_cell_was_checked_and_one_counter_example_is_enough(
    planned: tuple[PlannedClaim, ...],
) -> None:
    [claim] = [claim for claim in planned if claim.name == "corollary-1"]
    records, when = records_of((claim,), helpful), {"corollary-1": "before the run"}
    equal = {cell.id: CorollaryRecord("ok", difference=2e-15) for cell in claim.cells}

    def judged(corollary: Mapping[str, CorollaryRecord]) -> JudgedClaim:
        [found] = build_claims("study", (claim,), records, when, corollary=corollary).claims
        return found

    assert (judged(equal).word, judged(equal).finished) == ("holds", 25)
    assert judged(equal).why == "outputs and losses differ by at most 2e-15 in 25 networks"
    first, last = claim.cells[0].id, claim.cells[-1].id
    stale = judged(equal | {first: CorollaryRecord("stale", "other weights were checked")})
    assert (stale.word, stale.why) == ("undecided", "24 of 25 cells are checked")
    wrong = judged({first: equal[first], last: CorollaryRecord("ok", difference=1e-3)})
    assert (wrong.word, wrong.why) == ("contradicted", f"not equal in 1 networks, first {last}")
    page = render_claims_html(Claims("study", (wrong,)))
    assert "exact check, corollary-1" in page
    assert json.loads(json.dumps(claim_files(Claims("study", (wrong,)))))["corollary-1.json"] == {
        "verdict": "contradicted",
        "checked": 2,
        "cells": 25,
    }


def later(paths: Paths, plan: Plan, planned: tuple[PlannedClaim, ...]) -> set[str]:
    """The claims that were declared after numbers were seen."""
    return {name for name, when in declared(paths, plan, planned).items() if when == "after numbers were seen"}


def test_registration_is_written_once_and_tells_later_changes(
    plan: Plan, planned: tuple[PlannedClaim, ...], tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    (tmp_path / "params").symlink_to(PARAMS)
    assert set(declared(paths, plan, planned).values()) == {"no cell has started"}
    register(paths, plan)
    assert set(declared(paths, plan, planned).values()) == {"before the run"}
    before = paths.registration("study").read_bytes()
    first, *others = planned

    def with_first(**changes: Any) -> tuple[PlannedClaim, ...]:
        return (replace(first, spec=first.spec.model_copy(update=changes)), *others)

    assert later(paths, plan, with_first(margin=0.1)) == {first.spec.name}
    assert later(paths, plan, with_first(text="Said otherwise.")) == set()
    register(paths, plan)
    assert paths.registration("study").read_bytes() == before


def test_rows_that_are_taken_away_change_the_claims_that_compare_them(
    plan: Plan, planned: tuple[PlannedClaim, ...], tmp_path: Path
) -> None:
    """How the rows are trained may change; a registration of the format without rows tells neither."""
    paths = Paths(tmp_path)
    (tmp_path / "params").symlink_to(PARAMS)
    register(paths, plan)
    [claim] = [claim for claim in planned if claim.name == NAME]
    others = tuple(one for one in planned if one is not claim)
    fewer = (*others, replace(claim, settings=claim.settings[:-1]))
    longer = (*others, replace(claim, settings=tuple(map(trained_longer, claim.settings))))
    assert later(paths, plan, fewer) == {NAME}
    assert later(paths, plan, longer) == set()
    old = {"format": 1, "preset": "study", "claims": claim_digests(plan, planned, 1)}
    write_json(paths.registration("study"), old)
    assert later(paths, plan, planned) == later(paths, plan, fewer) == set()


def trained_longer(setting: Setting) -> Setting:
    def longer(cell: Cell) -> Cell:
        return cell.model_copy(update={"protocol": cell.protocol.model_copy(update={"warmup_steps": 99})})

    return replace(setting, pairs=tuple((longer(a), longer(b)) for a, b in setting.pairs))


def test_results_that_are_older_than_the_registration_were_seen(
    plan: Plan, planned: tuple[PlannedClaim, ...], tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    (tmp_path / "params").symlink_to(PARAMS)
    write_json(paths.record(next(iter(plan.cells.values()))), {})
    register(paths, plan)
    assert not paths.registration("study").exists()
    assert set(declared(paths, plan, planned).values()) == {"after numbers were seen"}
    paths.registration("study").parent.mkdir(parents=True)
    paths.registration("study").write_text("{ damaged")
    assert set(declared(paths, plan, planned).values()) == {"after numbers were seen"}


@pytest.mark.parametrize("content", ["", "{", '{"format": 3}', '{"format": 2, "preset": "demo", "claims": {}}'])
def test_a_damaged_registration_is_written_again_until_there_are_numbers(
    plan: Plan, planned: tuple[PlannedClaim, ...], tmp_path: Path, content: str
) -> None:
    paths = Paths(tmp_path)
    (tmp_path / "params").symlink_to(PARAMS)
    path = paths.registration("study")
    register(paths, plan)
    whole = path.read_bytes()
    assert why_unregistered(paths, plan) is None
    path.write_text(content)
    register(paths, plan)
    assert path.read_bytes() == whole
    path.write_text(content)
    write_json(paths.record(next(iter(plan.cells.values()))), {})
    register(paths, plan)
    assert path.read_text() == content, "numbers were seen"
    reason = why_unregistered(paths, plan)
    assert reason is not None
    assert reason.startswith("results/registered/study.json does not count: study.json ")
    claims = replace(built(planned, records_of(planned, helpful), "after numbers were seen"), unregistered=reason)
    terminal = Console(width=300, record=True, file=io.StringIO())
    terminal.print(render_claims(claims, 300))
    assert reason in terminal.export_text()
    assert str(escape(reason)) in render_claims_html(claims)
    assert render_claims_json(claims)["unregistered"] == reason
    command = ["claims", "--preset", "study", "--root", str(tmp_path)]
    assert "results/registered/study.json does not count" in CliRunner().invoke(app, command).output


def test_every_output_holds_every_claim(plan: Plan, planned: tuple[PlannedClaim, ...], tmp_path: Path) -> None:
    claims = built(planned, records_of(planned, helpful), "after numbers were seen")
    render_claims_page(plan, claims, tmp_path)
    page = (tmp_path / "study" / "claims.html").read_text()
    latex = (tmp_path / "study" / "claims.tex").read_text()
    document = read_json_object(tmp_path / "study" / "claims.json")
    assert [claim["name"] for claim in document["claims"]] == [claim.name for claim in planned]
    for claim in planned:
        assert claim.name in page or claim.why_not in page
    assert "declared after numbers were seen" in page
    assert "declared after numbers were seen" in latex
    folder = tmp_path / "study" / "claims-metrics"
    summary = read_json_object(folder / "summary.json")
    assert sum(value for name, value in summary.items() if name != "claims") == summary["claims"] == len(claims.claims)
    known = [claim for claim in claims.claims if claim.comparison is not None or claim.check is not None]
    assert len(list(folder.iterdir())) == 1 + len(known)
    effect = read_json_object(folder / f"{NAME}.json")
    assert effect["effect"] == one(claims).comparison.effect  # type: ignore[union-attr]
    assert effect["late"] == "declared after numbers were seen"
    assert 'href="study/claims.html"' in (tmp_path / "index.html").read_text()
    for missing, link in (("claims.html", 'href="study/README.md"'), ("README.md", None)):
        (tmp_path / "study" / "README.md").touch()
        (tmp_path / "study" / missing).unlink()
        index = render_index_html(tmp_path)
        assert (link is None or link in index) and 'href="study/claims.html"' not in index, "a clone has no such page"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive)")
def test_the_latex_compiles(planned: tuple[PlannedClaim, ...], tmp_path: Path) -> None:
    (tmp_path / "claims.tex").write_text(render_claims_latex(built(planned, records_of(planned, helpful))))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "claims.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_a_page_without_a_judged_claim_is_a_page(planned: tuple[PlannedClaim, ...]) -> None:
    waiting = tuple(claim for claim in planned if not claim.settings)
    assert "Not judged under this preset" in render_claims_html(built(waiting, {}))
    assert "judges no claim" in render_claims_latex(built(waiting, {}))


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(PARAMS)
    root = ["--root", str(tmp_path)]
    shown = CliRunner().invoke(app, ["claims", *root])
    assert shown.exit_code == 0, shown.output
    assert "0 of 8 cells have a number that counts" in shown.output
    as_json = CliRunner().invoke(app, ["claims", "--json", *root])
    assert json.loads(as_json.output)["preset"] == "demo"
    assert list(tmp_path.iterdir()) == [tmp_path / "params"], "printing writes nothing"
    written = CliRunner().invoke(app, ["claims", "--write", *root])
    assert written.exit_code == 0, written.output
    assert (tmp_path / "reports" / "demo" / "claims.html").exists()


def test_dense_counts_are_those_that_were_collected() -> None:
    counts_BSKK = np.random.default_rng(0).integers(0, 3, (5, 2, 4, 4))
    collector = ConfusionCollector(["rgb", "depth"], 4)
    collector.add(counts_BSKK[:3])
    collector.add(counts_BSKK[3:])
    collected = collector.collected()
    assert (dense_counts(collected.confusion["depth"]) == counts_BSKK[:, 1]).all()


def test_the_readme_shows_the_published_claims_of_the_study() -> None:
    published = read_published(REPOSITORY)
    for file, texts in parts(published).items():
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        for name, part in texts.items():
            assert with_part(text, name, part) == text, f"{file}: run python -m cenbench.report.readme_claims"
    known = {claim.name for claim in load_claims(PARAMS)}
    shown = [claim["name"].partition(" (")[0] for claim in (published or {"claims": []})["claims"]]
    assert set(shown) <= known, "the published claims are of an earlier declaration"


@pytest.mark.parametrize(
    ("words", "waiting", "summary"),
    [
        ({"undecided": 3, "not judged here": 2, "holds": 11}, 2,
         "Verdicts: 11 hold, 3 undecided (2 of them wait for cells), 2 not judged in this preset."),
        ({"holds": 1, "contradicted": 2, "equal within the margin": 4, "not measured yet": 1}, 0,
         "Verdicts: 1 holds, 2 contradicted, 4 equal within the margin, 1 not measured yet."),
        ({"undecided": 2, "contradicted": 1}, 1, "Verdicts: 1 contradicted, 2 undecided (1 of them waits for cells)."),
    ],
)  # fmt: skip
def test_the_readme_counts_the_verdicts(words: dict[str, int], waiting: int, summary: str) -> None:
    plain = {"text": "A", "stream": "rgb", "why": "", "comparison": None, "margin": None, "seeds": 5, "declared": ""}
    found = [
        {**plain, "word": word, "cells": ["x"], "finished": 1} for word, many in words.items() for _ in range(many)
    ]
    for claim in [claim for claim in found if claim["word"] == "undecided"][:waiting]:
        claim["finished"] = 0
    assert claims_markdown({"words": words, "claims": found}, undecided=True).splitlines()[0] == summary


def test_the_readme_table_is_that_of_the_claims(planned: tuple[PlannedClaim, ...], tmp_path: Path) -> None:
    claims = built(planned, records_of(planned, helpful), "after numbers were seen")
    write_json(tmp_path / "reports" / "study" / "claims.json", render_claims_json(claims))
    lines = claims_markdown(read_published(tmp_path), undecided=True).splitlines()
    judged = [claim for claim in claims.claims if claim.cells and claim.finished == len(claim.cells)]
    assert len(lines) == 4 + len(judged)
    for line, claim in zip(lines[4:], judged, strict=True):
        assert line.startswith(f"| {claim.text} ({claim.stream}) | {effect_text(claim) or claim.why} | ")
        assert line.endswith(f"| {claim.word} (declared after numbers were seen) |")
    short = claims_markdown(read_published(tmp_path), undecided=False).splitlines()
    assert set(short) == {
        line for line in lines if not line.endswith("| undecided (declared after numbers were seen) |")
    }
    found = finding(read_published(tmp_path))
    for name in ("exchange-over-none", "fusion-over-parallel-translation"):
        [claim] = [claim for claim in judged if claim.name == name]
        assert effect_text(claim).replace("+", "") in " ".join(found.split())
    nothing = render_claims_json(built(planned, records_of(planned, lambda _: None)))
    for document in (None, nothing):
        assert "has not been run" in claims_markdown(document, undecided=True)
        assert "Nothing is published yet" in finding(document)
    assert read_published(tmp_path / "nowhere") is None
    write_json(tmp_path / "reports" / "study" / "claims.json", {"format": 0})
    with pytest.raises(UserError, match="another version"):
        read_published(tmp_path)
