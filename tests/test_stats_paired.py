"""Comparing two networks over seeds and settings: held against SciPy, and against its own error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cenbench.stats.bootstrap import mean_interval
from cenbench.stats.claims import evidence
from cenbench.stats.paired import compare, seeds_needed

RUNS = 2000


def test_one_setting_is_the_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(1, 1, 7), generator.normal(0, 2, 7)
    found = compare([(a - b).tolist()])
    reference = stats.ttest_rel(a, b, alternative="greater")
    assert found is not None
    assert found.p_better == pytest.approx(reference.pvalue)
    assert found.p_worse == pytest.approx(1 - reference.pvalue)
    assert found.df == pytest.approx(reference.df)
    two_sided = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.interval == pytest.approx((two_sided.low, two_sided.high))


def test_two_settings_are_welchs_test_of_their_mean() -> None:
    """mean(a)/2 + mean(b)/2 is zero exactly where mean(a) is mean(-b), which Welch's test compares."""
    generator = np.random.default_rng(1)
    a, b = generator.normal(1, 1, 4), generator.normal(0.5, 3, 9)
    found = compare([a.tolist(), b.tolist()])
    reference = stats.ttest_ind(a, -b, equal_var=False, alternative="greater")
    assert found is not None
    assert found.effect == pytest.approx((a.mean() + b.mean()) / 2)
    assert (found.effect / found.error, found.df) == pytest.approx((reference.statistic, reference.df))
    assert found.p_better == pytest.approx(reference.pvalue)
    assert found.pairs == 13


def test_the_bootstrap_is_scipys_bca_interval() -> None:
    """Another stream of draws, 9,999 each: their quantiles agree within a few standard errors."""
    values = np.random.default_rng(2).normal(1, 2, 12)
    found = compare([values.tolist()])
    reference = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(3))
    assert found is not None
    assert found.bootstrap is not None
    # A quantile's standard error is about sqrt(0.025 * 0.975 / 9999) / density = 0.03 of the mean's standard error.
    slack = 0.15 * float(reference.standard_error)
    assert found.bootstrap == pytest.approx(tuple(reference.confidence_interval), abs=slack)


def test_the_bootstrap_of_several_settings_covers_their_mean() -> None:
    """Ten seeds in each of two settings; 95 % nominally, less for a bootstrap of few values."""
    generator, runs = np.random.default_rng(6), 200
    covered = 0
    for _ in range(runs):
        low, high = mean_interval(generator.normal(1, 1, (2, 10)).tolist(), resamples=500) or (math.nan, math.nan)
        covered += low < 1 < high
    assert 0.87 < covered / runs < 0.99


def test_the_bootstrap_is_a_function_of_its_seed() -> None:
    differences = np.random.default_rng(5).normal(0, 1, (2, 9)).tolist()
    first, again, other = compare(differences, seed=1), compare(differences, seed=1), compare(differences, seed=2)
    assert first == again
    assert first is not None
    assert other is not None
    assert first.bootstrap != other.bootstrap


def test_the_share_of_better_pairs_counts_ties_half() -> None:
    found = compare([[1.0, 0.0, -1.0, 2.0]])
    assert found is not None
    assert found.share_better == 2.5 / 4


@pytest.mark.parametrize("strata", [[], [[1.0]], [[1.0, 2.0], [3.0]], [[1.0, 1.0]]])
def test_nothing_is_said_of_too_little(strata: list[list[float]]) -> None:
    assert compare(strata) is None
    assert evidence(strata, 1.0) is None
    assert seeds_needed(strata, 1.0) is None


def test_seeds_needed_gives_the_power_that_was_asked_for() -> None:
    generator = np.random.default_rng(4)
    pilot = generator.normal(0, 2, (1, 2000)).tolist()
    count = seeds_needed(pilot, margin=1.5)
    assert count is not None
    shown = [stats.ttest_1samp(generator.normal(1.5, 2, count), 0).pvalue < 0.05 for _ in range(RUNS)]
    assert 0.77 < np.mean(shown) < 0.86  # the smallest count with at least 80 %
    fewer = [stats.ttest_1samp(generator.normal(1.5, 2, count - 1), 0).pvalue < 0.05 for _ in range(RUNS)]
    assert np.mean(fewer) < 0.81
    assert seeds_needed(pilot, margin=1e-3) is None, "more than anybody trains"
