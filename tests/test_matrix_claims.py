"""Claims select pairs that are equal in all but what they name, and mistakes in them are reported with file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import REPOSITORY
from pydantic import ValidationError
from typer.testing import CliRunner

from cenbench.cli.main import app
from cenbench.errors import UserError
from cenbench.matrix.claim_pairs import PlannedClaim, plan_claims
from cenbench.matrix.claims import ClaimSpec
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.preset import load_preset

PARAMS = REPOSITORY / "params"
CLAIM: dict[str, Any] = {
    "name": "exchange-over-none",
    "text": "Exchange is better.",
    "source": "table 7",
    "tables": ["table7"],
    "metric": "miou_pct",
    "better": {"fusion": "exchange"},
    "worse": {"fusion": "none"},
    "margin": 1.0,
    "presets": ["demo", "study"],
}


@pytest.fixture(scope="module")
def study() -> Plan:
    return load_plan(PARAMS, "study")


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """A copy of params/ whose claims a test writes."""
    folder = tmp_path / "params"
    folder.mkdir()
    for path in PARAMS.iterdir():
        if path.name != "claims.yaml":
            (folder / path.name).symlink_to(path)
    return folder


def planned(params: Path, plan: Plan, *claims: dict[str, Any]) -> tuple[PlannedClaim, ...]:
    (params / "claims.yaml").write_text(yaml.safe_dump({"claims": list(claims)}, sort_keys=False))
    return plan_claims(params, plan)


def test_every_claim_of_every_preset_selects_cells_or_tells_why_not() -> None:
    for preset in ("demo", "study", "paper", "paper-official", "paper-sunrgbd"):
        found = plan_claims(PARAMS, load_plan(PARAMS, preset))
        assert all(bool(claim.settings) != bool(claim.why_not) for claim in found)
        judged = [claim for claim in found if claim.settings]
        assert len(judged) >= (20 if preset != "paper-sunrgbd" else 0)


def test_pairs_have_equal_seeds_and_differ_only_in_what_the_claim_names(params: Path, study: Plan) -> None:
    [claim] = planned(params, study, CLAIM)
    assert len(claim.settings) == 4, "the four pairs of table 7"
    for setting in claim.settings:
        assert [better.seed for better, _ in setting.pairs] == list(range(1, 6))
        for better, worse in setting.pairs:
            assert better.seed == worse.seed
            other, own = better.all_settings, worse.all_settings
            assert {name for name in own if own[name] != other[name]} == {"fusion"}


def test_several_outputs_are_claims_of_their_own(params: Path, study: Plan) -> None:
    found = planned(params, study, {**CLAIM, "streams": ["rgb", "depth"]})
    assert [claim.name for claim in found] == ["exchange-over-none (rgb)", "exchange-over-none (depth)"]


def test_a_setting_can_be_named(params: Path, study: Plan) -> None:
    theta = study.cells_of("table7")[0].protocol.theta
    selector = {"fusion": "exchange", "settings": {"protocol.theta": theta}}
    [claim] = planned(params, study, {**CLAIM, "better": selector})
    assert len(claim.settings) == 4


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"better": {"fusion": "exchnage"}}, "claims[0].better.fusion", "did you mean 'exchange'?"),
        ({"better": {"fusoin": "exchange"}}, "claims[0].better.fusoin", "did you mean 'fusion'?"),
        ({"better": {"convs": "shard"}}, "claims[0].better.convs", "shared"),
        ({"metric": "miou"}, "claims[0].metric", "miou_pct"),
        ({"metric": "fid"}, "claims[0].metric", "segmentation cells do not have this metric"),
        ({"streams": ["dpeth"]}, "claims[0].streams", "did you mean 'depth'?"),
        ({"margin": -1.0}, "claims[0].margin", "greater than"),
        ({"margin": 0.0}, "claims[0].margin", "greater than"),
        ({"preset_margins": {"dmeo": 1.0}}, "claims[0].preset_margins", "did you mean 'demo'?"),
        ({"presets": ["studdy"]}, "claims[0].presets", "did you mean 'study'?"),
        ({"tables": ["table77"]}, "claims[0].tables", "did you mean 'table7'?"),
        ({"worse": {"fusion": "exchange"}}, "claims[0].worse", "cells are on both sides"),
        ({"worse": {"fusion": "concat"}}, "claims[0].worse", "its cells have fusion: none, exchange"),
        ({"worse": {"fusion": "none", "merged": True}}, "claims[0].worse", "its cells have merged: False"),
        (
            {"better": {"convs": "shared", "l1": "all", "fusion": "exchange"}, "worse": {"norms": "shared"}},
            None,
            "",
        ),
        ({"better": {"fusion": "exchange", "settings": {"protocol.thta": 1}}}, "claims[0].better.settings", "theta"),
        (
            {"better": {"fusion": "exchange", "settings": {"protocol.theta": "0.02"}}},
            "claims[0].better.settings.protocol.theta",
            "no cell has such a value",
        ),
        ({"better": {"l1": "half", "settings": {"l1": "none"}}}, "claims[0].better.settings", "l1 is a key beside"),
        ({"worse": {"fusion": []}}, "claims[0].worse.fusion", "an empty list selects no cell"),
        ({"margin": None}, "claims[0]", "a claim needs margin"),
        ({"margin": 100.0}, "claims[0]", "no difference is that large"),
        (
            {"worse": None, "against": 150.0},
            "claims[0]",
            "miou_pct lies from 0 to 100: it cannot be held against 150",
        ),
        ({"streams": ["rgb", "rgb"]}, "claims[0].streams", "rgb is named twice"),
        ({"under": {"kind": "depth_noise", "strength": 0.3}}, "claims[0].under", "did you mean 'depth_noise=0."),
        ({"under": {"kind": "depth_nose", "strength": 0.3}}, "claims[0].under.kind", "did you mean 'depth_noise'?"),
        ({"under": {"kind": "depth_noise"}}, "claims[0].under", "depth_noise needs `strength`, and has no `of`"),
        ({"under": {"kind": "absent", "of": "normal"}}, "claims[0].under", "'absent=normal'"),
        ({"under": {"kind": "exposure", "of": "drak"}}, "claims[0].under", "did you mean 'exposure=dark'?"),
        (
            {"under": {"kind": "depth_noise", "strength": 0.2}, "metric": "params_m"},
            "claims[0].metric",
            "no condition changes this metric",
        ),
        ({"relation": "beter"}, "claims[0].relation", "did you mean 'better'?"),
        ({"others": True}, "claims[0]", "judged against other cells (`worse:` or `others:`) or a number"),
        ({"figures": ["figure133"]}, "claims[0].figures", "figure"),
        ({"figures": ["figure14"]}, "claims[0].figures", "did you mean 'figure"),
        ({"check": "corollary-1"}, "claims[0]", "a claim with `check:` compares no numbers, so it has no `worse:`"),
        (
            {"check": "corollary-1", "worse": None, "metric": None},
            "claims[0].better",
            "corollary-1 cannot be checked on all of its cells",
        ),
        ({"check": "corollary-2", "worse": None, "metric": None}, "claims[0].check", "corollary-1"),
        ({"worse": None}, "claims[0]", "a claim needs worse"),
    ],
)
def test_a_mistake_is_reported_with_file_line_and_key(
    params: Path, study: Plan, change: dict[str, Any], key: str | None, words: str
) -> None:
    claim = {name: value for name, value in (CLAIM | change).items() if value is not None}
    if key is None:
        assert planned(params, study, claim), "sides that differ in several settings are allowed"
        return
    with pytest.raises(UserError) as caught:
        planned(params, study, claim)
    message = str(caught.value)
    assert "claims.yaml" in message
    assert key in message
    assert "(line " in message
    assert words in message


@pytest.mark.parametrize(("against", "is_possible"), [(-10.0, True), (-100.0, True), (-101.0, False)])
def test_a_change_under_a_condition_is_held_against_a_change(against: float, is_possible: bool) -> None:
    under = {"kind": "depth_noise", "strength": 0.2}
    claim = {name: value for name, value in CLAIM.items() if name != "worse"} | {"under": under, "against": against}
    try:
        assert ClaimSpec.model_validate(claim).against == against
    except ValidationError as error:
        assert not is_possible and "cannot be held against" in str(error)
    else:
        assert is_possible


def test_the_cells_of_a_grid_are_compared_with_the_others_of_it(params: Path, study: Plan) -> None:
    """Lambda and theta of the tables against all 24 other pairs of figure 13, nothing else being different."""
    claim = {name: value for name, value in CLAIM.items() if name not in ("tables", "worse")}
    tables = {"protocol.lambda_l1": 2e-2, "protocol.theta": 0.5}
    claim |= {"figures": ["figure13"], "metric": "fid", "better": {"settings": tables}, "others": True}
    [found] = planned(params, study, claim)
    assert len(found.settings) == 24
    assert {cell.id for cell in found.cells} == {cell.id for cell in study.figure("figure13").cells}
    for setting in found.settings:
        assert [better.seed for better, _ in setting.pairs] == [1, 2, 3, 4, 5]
        for better, worse in setting.pairs:
            own, other = better.all_settings, worse.all_settings
            assert {name for name in own if own[name] != other[name]} <= set(tables)
            assert {name: own[name] for name in tables} == tables
    with pytest.raises(UserError, match="no cell of figure13 in preset study is selected"):
        planned(params, study, claim | {"better": {"settings": {"protocol.theta": 0.55}}})


def test_a_check_needs_no_margin_and_each_cell_stands_alone(params: Path, study: Plan) -> None:
    check = {name: CLAIM[name] for name in ("name", "text", "source", "tables", "presets")}
    [found] = planned(params, study, check | {"check": "corollary-1", "better": {"convs": "unshared"}})
    assert len(found.cells) == 25
    assert all(better is worse for setting in found.settings for better, worse in setting.pairs)
    assert {cell.convs for cell in found.cells} == {"unshared"}


@pytest.mark.parametrize("overridden", ["none", "all"])
def test_a_setting_that_one_side_does_not_use_separates_no_pair(params: Path, overridden: str) -> None:
    """Lambda is a number of the l1 term, so a row without one may have any; theta is a number of every row."""
    claim = CLAIM | {"better": {"fusion": "none", "l1": "all"}, "worse": {"l1": "none"}, "tables": ["table7"]}
    table = yaml.safe_load((PARAMS / "table7.yaml").read_text())
    (params / "table7.yaml").unlink()
    as_it_is = load_preset(PARAMS, "study").segmentation.protocol

    def pairs_with(protocol: dict[str, float]) -> int:
        """Rows without an l1 term are overridden in the defaults: a row may override only what it uses."""
        own = {name: getattr(as_it_is, name) for name in protocol}
        table["defaults"]["override"] = {"protocol": protocol if overridden == "none" else own}
        for row in table["rows"]:
            row["override"] = {} if row["l1"] == "none" else {"protocol": protocol if row["l1"] == overridden else own}
        (params / "table7.yaml").write_text(yaml.safe_dump(table))
        [found] = planned(params, load_plan(params, "study"), claim)
        return sum(len(setting.pairs) for setting in found.settings)

    assert pairs_with({"lambda_l1": 0.03}) == pairs_with({"lambda_l1": 0.02}) == 10
    with pytest.raises(UserError, match="no two cells differ only in"):
        pairs_with({"theta": 0.4})


def test_new_keys_leave_the_digests_of_other_claims_as_they_were(params: Path, study: Plan) -> None:
    """A preset's registration holds digests: they must not change because a claim can say more than before."""
    [claim] = planned(params, study, CLAIM)
    assert not {"figures", "others", "check", "under", "against"} & claim.spec.model_dump().keys()


def test_a_condition_changes_what_is_declared_but_its_absence_does_not(params: Path, study: Plan) -> None:
    under = {"kind": "depth_noise", "strength": 0.4}
    [plain, noisy] = planned(params, study, CLAIM, {**CLAIM, "name": "noisy", "under": under})
    assert plain.cells == noisy.cells
    assert "under" not in plain.spec.model_dump()
    renamed = noisy.spec.model_copy(update={"name": plain.spec.name})
    assert renamed.digest() != plain.spec.digest()


def test_scenes_of_one_exposure_have_no_fid(params: Path) -> None:
    """Nor has a network without RGB an exposure."""
    plan = load_plan(PARAMS, "study")
    claim = CLAIM | {"tables": ["table6"], "metric": "mae_x10", "worse": {"fusion": "concat"}}
    claim |= {"better": {"fusion": "exchange"}, "under": {"kind": "exposure", "of": "dark"}}
    both = {side: {**claim[side], "task": "rgb+edge->depth", "stage": "all"} for side in ("better", "worse")}
    sided = claim | both
    sided["worse"] = {**both["worse"], "l1": "none"}
    sided["better"] = {**both["better"], "l1": "half"}
    assert planned(params, plan, sided)
    with pytest.raises(UserError, match="cannot be scored by this metric"):
        planned(params, plan, sided | {"metric": "fid"})


def test_two_claims_of_one_name_are_refused(params: Path, study: Plan) -> None:
    with pytest.raises(UserError, match=r"claims\[0\] has the same name"):
        planned(params, study, CLAIM, CLAIM)


def test_rows_that_were_left_out_on_purpose_are_no_mistake(params: Path, study: Plan) -> None:
    """A table with `whole: false`, or a group that the preset does not run."""
    table = params / "table7.yaml"
    text = table.read_text()
    table.unlink()
    lines = [line for line in text.splitlines() if "exchange: true" not in line or line.startswith("#")]
    table.write_text("\n".join([*lines, "whole: false"]) + "\n")
    [claim] = planned(params, load_plan(params, "study"), CLAIM)
    assert claim.settings == ()
    assert claim.why_not == "the rows that it compares were left out of the table"


def test_the_command_plan_reports_a_mistake_and_lists_what_claims_need(params: Path) -> None:
    (params / "claims.yaml").write_text(yaml.safe_dump({"claims": [{**CLAIM, "metric": "fid"}]}))
    wrong = CliRunner().invoke(app, ["plan", "--root", str(params.parent)])
    assert isinstance(wrong.exception, UserError)
    assert "claims[0].metric" in str(wrong.exception)
    (params / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM]}))
    right = CliRunner().invoke(app, ["plan", "--root", str(params.parent)])
    assert right.exit_code == 0, right.output
    assert "exchange-over-none" in right.output
    assert "table7: miou_pct of ensemble" in right.output


def test_a_claims_digest_covers_how_it_is_judged_and_not_its_wording(params: Path, study: Plan) -> None:
    [before] = planned(params, study, CLAIM)
    [worded] = planned(params, study, {**CLAIM, "text": "Said otherwise.", "source": "elsewhere"})
    [moved] = planned(params, study, {**CLAIM, "margin": 1.5})
    assert before.spec.digest() == worded.spec.digest()
    assert before.spec.digest() != moved.spec.digest()
