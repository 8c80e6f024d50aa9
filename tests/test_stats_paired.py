"""Comparing two networks over seeds and settings: held against SciPy, and against its own error rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from cenbench.stats.bootstrap import mean_interval
from cenbench.stats.claims import evidence
from cenbench.stats.paired import compare, seeds_needed

RUNS = 2000


def seeded(*settings: Sequence[float]) -> list[dict[int, float]]:
    """Differences in the order of their seeds, which all settings share."""
    return [{seed: float(value) for seed, value in enumerate(values)} for values in settings]


def test_one_setting_is_the_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(1, 1, 7), generator.normal(0, 2, 7)
    found = compare(seeded(a - b))
    reference = stats.ttest_rel(a, b, alternative="greater")
    assert found is not None
    assert found.p_better == pytest.approx(reference.pvalue)
    assert found.p_worse == pytest.approx(1 - reference.pvalue)
    assert found.df == pytest.approx(reference.df)
    two_sided = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.interval == pytest.approx((two_sided.low, two_sided.high))


def test_several_settings_are_the_t_test_of_the_seeds_means() -> None:
    settings = np.random.default_rng(1).normal(1, 2, (4, 6))
    found = compare(seeded(*settings))
    reference = stats.ttest_1samp(settings.mean(0), 0)
    assert found is not None
    assert found.effect == pytest.approx(settings.mean())
    assert (found.effect / found.error, found.df) == pytest.approx((reference.statistic, reference.df))
    assert found.interval == pytest.approx(tuple(reference.confidence_interval(0.95)))
    assert found.pairs == 24


def test_settings_that_lack_seeds_have_the_cluster_robust_error() -> None:
    """Against the sandwich (X'X)^-1 (sum of X_s' e_s e_s' X_s) (X'X)^-1 of the regression on settings, in matrices."""
    generator = np.random.default_rng(7)
    settings = [{seed: float(generator.normal(1, 2)) for seed in seeds} for seeds in ((1, 2, 3, 5), (2, 3, 4), (1, 5))]
    rows = [(place, seed, value) for place, setting in enumerate(settings) for seed, value in setting.items()]
    x = np.eye(3)[[place for place, _, _ in rows]]
    y = np.array([value for _, _, value in rows])
    bread = np.linalg.inv(x.T @ x)
    residuals = y - x @ bread @ x.T @ y
    scores = [x.T @ np.where([seed == one for _, seed, _ in rows], residuals, 0) for one in range(1, 6)]
    covariance = bread @ sum(np.outer(score, score) for score in scores) @ bread * 5 / 4
    found = compare(settings)
    assert found is not None
    assert found.effect == pytest.approx((bread @ x.T @ y).mean())
    assert found.error == pytest.approx(math.sqrt(np.ones(3) @ covariance @ np.ones(3)) / 3)
    assert found.df == 4


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_covers_also_where_settings_rise_and_fall_together(seeds: int) -> None:
    """Four settings that share the network on one side, as four baselines share the method they are compared with."""
    generator, covered = np.random.default_rng(seeds), 0
    for _ in range(RUNS):
        found = compare(seeded(*(generator.normal(1, 1, seeds) - generator.normal(0, 1, (4, seeds)))), resamples=0)
        assert found is not None
        covered += found.interval[0] < 1 < found.interval[1]
    assert covered / RUNS == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / RUNS))


def test_the_bootstrap_is_scipys_bca_interval() -> None:
    """Another stream of draws, 9,999 each: their quantiles agree within a few standard errors."""
    values = np.random.default_rng(2).normal(1, 2, 12)
    found = compare(seeded(values))
    reference = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(3))
    assert found is not None
    assert found.bootstrap is not None
    # A quantile's standard error is about sqrt(0.025 * 0.975 / 9999) / density = 0.03 of the mean's standard error.
    slack = 0.15 * float(reference.standard_error)
    assert found.bootstrap == pytest.approx(tuple(reference.confidence_interval), abs=slack)


def test_the_bootstrap_covers_the_mean() -> None:
    """Ten seeds; 95 % nominally, less for a bootstrap of few values."""
    generator, runs = np.random.default_rng(6), 200
    covered = 0
    for _ in range(runs):
        low, high = mean_interval(generator.normal(1, 1, 10), resamples=500) or (math.nan, math.nan)
        covered += low < 1 < high
    assert 0.85 < covered / runs < 0.99


def test_the_bootstrap_is_a_function_of_its_seed() -> None:
    differences = seeded(*np.random.default_rng(5).normal(0, 1, (2, 9)))
    first, again, other = compare(differences, seed=1), compare(differences, seed=1), compare(differences, seed=2)
    assert first == again
    assert first is not None
    assert other is not None
    assert first.bootstrap != other.bootstrap


def test_the_share_of_better_pairs_counts_ties_half() -> None:
    found = compare(seeded([1.0, 0.0, -1.0, 2.0]))
    assert found is not None
    assert found.share_better == 2.5 / 4


@pytest.mark.parametrize("values", [[], [[1.0]], [[1.0, 2.0], [3.0]], [[1.0, 1.0]], [[0.1, 0.3], [0.3, 0.1]]])
def test_nothing_is_said_of_too_little(values: list[list[float]]) -> None:
    assert compare(seeded(*values)) is None
    assert evidence(seeded(*values), 1.0) is None
    assert seeds_needed(seeded(*values), 1.0) is None


def test_seeds_needed_gives_the_power_that_was_asked_for() -> None:
    generator = np.random.default_rng(4)
    pilot = seeded(generator.normal(0, 2, 2000))
    count = seeds_needed(pilot, margin=1.5)
    assert count is not None
    shown = [stats.ttest_1samp(generator.normal(1.5, 2, count), 0).pvalue < 0.05 for _ in range(RUNS)]
    assert 0.77 < np.mean(shown) < 0.86  # the smallest count with at least 80 %
    fewer = [stats.ttest_1samp(generator.normal(1.5, 2, count - 1), 0).pvalue < 0.05 for _ in range(RUNS)]
    assert np.mean(fewer) < 0.81
    assert seeds_needed(pilot, margin=1e-3) is None, "more than anybody trains"
