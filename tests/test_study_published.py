"""The published study: every claim of `claims.json` is recomputed from `results.csv` and `robustness.csv`, with pandas
and SciPy alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas
import pytest
import yaml
from checkout import REPOSITORY
from scipy import stats

from cenbench.matrix.metrics import metrics

FOLDER = REPOSITORY / "reports" / "study"
TERMS = {"task", "fusion", "stage", "merged", "convs", "norms", "l1"}
NOT_SETTINGS = {"cell_id", "stream", "tables", "params", "origin", *metrics()}


def declared() -> dict[str, dict[str, Any]]:
    claims = yaml.safe_load((REPOSITORY / "params" / "claims.yaml").read_text(encoding="utf-8"))["claims"]
    return {claim["name"]: claim for claim in claims}


def published() -> list[dict[str, Any]]:
    """The claims that can be recomputed from metrics of a table's cells: none of gammas or of a grid.

    Those about corrupted inputs are among them.
    """
    known = set(pandas.read_csv(FOLDER / "results.csv", nrows=0).columns)
    claims = json.loads((FOLDER / "claims.json").read_text(encoding="utf-8"))["claims"]
    of_tables = {name for name, spec in declared().items() if "tables" in spec and is_of_terms(spec)}
    judged = [one for one in claims if one["comparison"] and one["metric"] in known]
    return [one for one in judged if one["name"].partition(" (")[0] in of_tables]


def is_of_terms(spec: Mapping[str, Any]) -> bool:
    """Whether it compares two sides that are selected by terms alone."""
    return "worse" in spec and {*spec["better"], *spec["worse"]} <= TERMS


def side(frame: pandas.DataFrame, terms: Mapping[str, Any]) -> pandas.DataFrame:
    for name, wanted in terms.items():
        frame = frame[frame[name].isin(wanted if isinstance(wanted, list) else [wanted])]
    return frame


def lost_under(condition: Mapping[str, Any], claim: Mapping[str, Any], frame: pandas.DataFrame) -> pandas.DataFrame:
    """The frame with the metric replaced by how much a condition changes it."""
    measured = pandas.read_csv(FOLDER / "robustness.csv")
    for name, wanted in {**condition, "stream": claim["stream"], "metric": claim["metric"]}.items():
        measured = measured[measured[name] == wanted]
    change = (measured["value"] - measured["baseline"]).set_axis(measured["cell_id"])
    assert not change.index.has_duplicates
    return frame.assign(**{claim["metric"]: frame["cell_id"].map(change)}).dropna(subset=claim["metric"])


def seed_differences(claim: Mapping[str, Any], spec: Mapping[str, Any], frame: pandas.DataFrame) -> pandas.DataFrame:
    """Seeds x settings: the difference of equal seeds, positive in the claim's favour."""
    if "under" in spec:
        frame = lost_under(spec["under"], claim, frame)
    in_table = frame["tables"].fillna("").str.split().map(lambda names: spec["tables"][0] in names)
    rows = frame[in_table & (frame["stream"] == claim["stream"])]
    named = {*spec["better"], *spec["worse"]}
    same = [name for name in rows if name not in {*named, *NOT_SETTINGS}]
    pairs = side(rows, spec["better"]).merge(side(rows, spec["worse"]), on=same, suffixes=("", "_worse"))
    sign = 1 if metrics()[claim["metric"]].better == "higher" else -1
    pairs["difference"] = sign * (pairs[claim["metric"]] - pairs[claim["metric"] + "_worse"])
    pairs["setting"] = pairs["cell_id"].str.replace(r"\.s\d+\..*", "", regex=True) + pairs["cell_id_worse"].str.replace(
        r"\.s\d+\..*", "", regex=True
    )
    return pairs.pivot_table(index="seed", columns="setting", values="difference")


@pytest.mark.parametrize("claim", published(), ids=lambda claim: claim["name"])
def test_the_published_claims_follow_from_the_published_numbers(claim: dict[str, Any]) -> None:
    spec = declared()[claim["name"].partition(" (")[0]]
    frame = pandas.read_csv(FOLDER / "results.csv")
    differences = seed_differences(claim, spec, frame)
    assert differences.shape == (claim["seeds"], len(claim["settings"]))
    assert not differences.isna().any(axis=None)
    if spec.get("every"):  # the setting that speaks most against the claim
        differences = differences[[differences.mean().idxmin()]]
    expected = stats.ttest_1samp(differences.mean(axis=1), 0)
    assert claim["comparison"]["effect"] == pytest.approx(differences.to_numpy().mean())
    assert claim["comparison"]["interval"] == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_the_published_numbers_are_those_of_finished_cells_of_the_preset() -> None:
    frame = pandas.read_csv(FOLDER / "results.csv")
    assert len(published()) > 5
    assert frame["seed"].between(1, 5).all()
    assert not frame.duplicated(["cell_id", "stream"]).any()
