"""The words of a verdict on a number keep their error rates, for every count of seeds they are used with."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cenbench.stats.agreement import Agreement, agreement, words
from cenbench.stats.multiple import holm
from cenbench.stats.spread import Spread, own_spread, pooled_spread, standard_deviation

RUNS = 2000
# Three standard errors of a share of 5 % over RUNS simulated tables: sqrt(0.05 * 0.95 / 2000) = 0.0049.
SLACK = 3 * math.sqrt(0.05 * 0.95 / RUNS)


def share(word: str, n: int, *, shift: float, margin: float, half_digit: float = 0.0) -> float:
    """How often `word` is said of one number whose true difference is `shift`, at a standard deviation of one."""
    generator = np.random.default_rng([n, int(1000 * shift)])
    said = 0
    for _ in range(RUNS):
        values, printed = generator.normal(shift, 1, n).tolist(), float(generator.normal())
        spread = own_spread(values)
        assert spread is not None
        found = agreement(values, printed, half_digit=half_digit, margin=margin, spread=spread)
        said += words([found]) == [word]
    return said / RUNS


@pytest.mark.parametrize("n", [3, 5, 10])
def test_off_is_said_of_equal_networks_at_its_nominal_rate(n: int) -> None:
    assert abs(share("off", n, shift=0.0, margin=1e-9) - 0.05) < SLACK


@pytest.mark.parametrize("n", [3, 5, 10])
def test_reproduced_is_said_at_the_margin_at_most_at_its_nominal_rate(n: int) -> None:
    """At a true difference of exactly the margin, which may not be called agreement."""
    for margin in (1.0, 4.0):
        assert share("reproduced", n, shift=margin, margin=margin) < 0.05 + SLACK


@pytest.mark.parametrize("n", [3, 5, 10])
def test_off_is_said_of_any_number_of_a_reproduced_table_at_most_at_its_nominal_rate(n: int) -> None:
    """Eight networks whose printed numbers are single runs of theirs, judged by the spread that they share."""
    generator, tables, wrong = np.random.default_rng(n), 400, 0
    for _ in range(tables):
        groups = [generator.normal(40 + place, 1, n).tolist() for place in range(8)]
        pooled = pooled_spread(groups)
        spreads = [pooled or own_spread(group) for group in groups]
        printed = [float(generator.normal(40 + place, 1)) for place in range(8)]
        found = [
            agreement(group, number, half_digit=0.05, margin=1e-9, spread=spread)
            for group, number, spread in zip(groups, printed, spreads, strict=True)
            if spread is not None
        ]
        wrong += "off" in words(found)
    assert wrong / tables < 0.05 + 3 * math.sqrt(0.05 * 0.95 / tables)


def test_rounding_counts_against_both_conclusions() -> None:
    assert share("off", 5, shift=0.0, margin=1e-9, half_digit=0.5) < 0.05
    wide = share("reproduced", 10, shift=0.0, margin=3.0)
    assert share("reproduced", 10, shift=0.0, margin=3.0, half_digit=0.5) < wide


def test_more_seeds_show_more() -> None:
    assert share("reproduced", 10, shift=0.0, margin=4.0) > share("reproduced", 3, shift=0.0, margin=4.0)
    assert share("off", 10, shift=6.0, margin=1.0) > share("off", 3, shift=6.0, margin=1.0)


def test_two_seeds_have_no_scatter_to_judge_by_unless_it_is_pooled() -> None:
    assert own_spread([1.0, 2.0]) is None
    pooled = pooled_spread([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [5.0, 6.0]])
    assert pooled == Spread(1.0, 4, pooled=True), "the group of two takes no part"


def test_equal_numbers_are_no_evidence_of_a_scatter_of_zero() -> None:
    assert own_spread([51.05, 51.05, 51.05]) is None
    assert pooled_spread([[51.05] * 3, [1.0, 2.0, 3.0]]) is None, "one network with scatter is not a pool"


def test_wild_seeds_reproduce_nothing() -> None:
    """[20, 50, 35] around a printed 35 was called reproduced: two of its standard deviations reach everywhere."""
    spread = own_spread([20.0, 50.0, 35.0])
    assert spread is not None
    assert words([agreement([20.0, 50.0, 35.0], 35.0, half_digit=0.05, margin=1.0, spread=spread)]) == ["inconclusive"]


def test_pooling_is_refused_where_variances_differ() -> None:
    generator = np.random.default_rng(0)
    even = [generator.normal(0, 1, 10).tolist() for _ in range(5)]
    uneven = [*even[:4], generator.normal(0, 30, 10).tolist()]
    pooled = pooled_spread(even)
    assert pooled is not None
    assert pooled.df == 45
    assert math.isclose(pooled.sd, math.sqrt(np.mean([np.var(group, ddof=1) for group in even])))
    assert pooled_spread(uneven) is None


def test_the_interval_is_where_a_single_run_falls() -> None:
    """Against the textbook formula, through scipy's t distribution."""
    values = [50.0, 51.0, 53.0, 52.0]
    spread = own_spread(values)
    assert spread is not None
    found = agreement(values, 51.0, half_digit=0.05, margin=1.0, spread=spread)
    reach = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * math.sqrt(1 + 1 / 4) + 0.05
    assert found.interval == pytest.approx((51.5 - reach, 51.5 + reach))
    assert found.difference == 0.5


@pytest.mark.parametrize(("margin", "sd"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0)])
def test_a_margin_or_a_spread_of_nothing_is_refused(margin: float, sd: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        agreement([1.0, 2.0, 3.0], 2.0, half_digit=0.0, margin=margin, spread=Spread(sd, 2, pooled=False))


def test_holm_is_holm() -> None:
    """The example of the R manual's p.adjust page, and the family's error rate under independent true hypotheses."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, 0.001]) == pytest.approx([0.04, 0.002])
    assert holm([]) == []
    generator = np.random.default_rng(1)
    wrong = sum(min(holm(generator.random(20).tolist())) < 0.05 for _ in range(RUNS)) / RUNS
    assert wrong < 0.05 + SLACK


def test_off_is_corrected_for_the_number_of_comparisons() -> None:
    one = Agreement(5.0, 1.0, (0.0, 0.0), p_different=0.03, p_equivalent=0.9)
    assert words([one]) == ["off"]
    assert words([one] * 20) == ["inconclusive"] * 20
    small = Agreement(0.5, 1.0, (0.0, 0.0), p_different=1e-9, p_equivalent=0.4)
    assert words([small]) == ["inconclusive"], "a difference within the margin is not off, however certain"


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=10))
def test_the_standard_deviation_is_that_of_exact_arithmetic(values: list[float]) -> None:
    """`statistics.stdev` computes in fractions. Tolerance: the rounding of differences between the values."""
    assert standard_deviation(values) == pytest.approx(statistics.stdev(values), rel=1e-12, abs=1e-12)
    assert standard_deviation([values[0]] * 3) == 0.0
