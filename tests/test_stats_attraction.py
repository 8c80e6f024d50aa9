"""Theorem 1's probability against simulation, and the numbers made of recorded scaling factors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from published import edit_sealed, make_root, publish

from cenbench.metrics.inputs.gammas import GammaArrays, gamma_metrics, own_parts
from cenbench.nn.exchange import own_parts as network_parts
from cenbench.records.gammas import gamma_numbers
from cenbench.records.read import read_record
from cenbench.stats.attraction import attraction_probability, calibration, gaussian_departure

DRAWS = 200_000


@pytest.mark.parametrize(("lambda_l1", "gradient"), [(2e-4, 1e-3), (2e-4, 1e-4), (0.02, -0.02), (1e-3, 0.5)])
def test_the_probability_is_that_of_a_simulation_of_the_proof(lambda_l1: float, gradient: float) -> None:
    """Both conditions of the proof: the slope of the loss is positive just right of zero, negative just left of it.

    Within five standard errors of the simulation.
    """
    task = gradient * np.random.default_rng(1).standard_normal(DRAWS)
    attracted = ((task + lambda_l1 > 0) & (task - lambda_l1 < 0)).mean()
    found = float(attraction_probability(lambda_l1, np.array(gradient)))
    assert abs(attracted - found) < 5 * np.sqrt(found * (1 - found) / DRAWS)


def test_the_probability_at_its_bounds() -> None:
    assert attraction_probability(0.1, np.array([0.0, 1e-9, np.inf])).tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert attraction_probability(0.0, np.array([0.0, 1.0])).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="must not be negative"):
        attraction_probability(-1.0, np.ones(1))


def test_gaussian_gradients_are_calibrated_and_have_no_departure() -> None:
    """Channels whose dL/dx' differ and whose normalised values are Gaussian: the theorem's own world."""
    random = np.random.default_rng(2)
    scale_N = np.exp(random.normal(0, 1, DRAWS))
    gradient_N = np.abs(scale_N * random.standard_normal(DRAWS))
    predicted_N = attraction_probability(1.0, scale_N)
    order = predicted_N.argsort()
    tenths = [values[order].reshape(10, -1).mean(1)[None, None] for values in (predicted_N, gradient_N < 1.0)]
    assert calibration(*tenths).gap < 0.01
    half_normal = np.quantile(np.abs(random.standard_normal(DRAWS)), np.arange(1, 10) / 10)
    np.testing.assert_allclose(gaussian_departure(3.0 * half_normal), 1.0, atol=0.03)


def test_heavy_tails_show_in_the_last_decile() -> None:
    heavy = np.quantile(np.abs(np.random.default_rng(3).standard_t(2, DRAWS)), np.arange(1, 10) / 10)
    assert gaussian_departure(heavy)[-1] > 1.15
    assert np.isnan(gaussian_departure(np.zeros(9))).all()
    with pytest.raises(ValueError, match="shapes"):
        calibration(np.zeros((0, 2, 10)), np.zeros((0, 2, 10)))


def test_recovery_and_overlap_by_hand() -> None:
    path_TN = np.array([[0.9, 0.1, 0.2, 0.9], [0.1, 0.1, -0.4, 0.8], [0.2, -0.7, 0.6, 0.9]])
    final_MN = np.array([[0.1, 0.2, 0.9, 0.9, -0.3], [0.9, 0.4, 0.9, 0.1, 0.9]])
    shares = np.zeros((3, 1))
    gammas = GammaArrays(0.5, path_TN, final_MN, shares + 0.75, shares + 0.5, np.array([5]))
    found = gamma_metrics(gammas)
    assert found["recovered_pct"] == pytest.approx(100 * 2 / 3), (
        "of three once under theta, two are above it at the end"
    )
    assert found["shared_small_pct"] == pytest.approx(100 / 4)
    assert found["theorem_excess_pct"] == pytest.approx(25)
    none = gamma_metrics(replace(gammas, theta=0.05, small_gradient_TL=shares[:0], probability_TL=shares[:0]))
    assert none == {}, "nothing is small, and nothing was recorded"


@pytest.mark.parametrize(("modalities", "channels"), [(1, 5), (2, 16), (3, 16), (4, 7)])
def test_the_penalised_parts_are_the_networks(modalities: int, channels: int) -> None:
    assert np.array_equal(own_parts(modalities, channels), network_parts(modalities, channels).numpy())


def test_the_numbers_of_a_record(tmp_path: Path) -> None:
    """The factors of `publish` all have one value: all recover, or none; a record without the file has no number."""
    plan, paths = make_root(tmp_path, tiny=True)
    cell = next(cell for cell in plan.cells.values() if len(cell.task.inputs) == 2)
    publish(paths, cell, 0.01)
    record = read_record(paths, cell)
    for stream in (*cell.task.inputs, "ensemble"):
        assert gamma_numbers(record, stream)["recovered_pct"] == 0.0
    assert gamma_numbers(record, "ensemble")["shared_small_pct"] == 100.0
    assert "shared_small_pct" not in gamma_numbers(record, cell.task.inputs[0])
    assert gamma_numbers(record, "another") == {}
    files = json.loads(paths.record(cell).read_text())["files"]
    edit_sealed(paths.record(cell), files={name: value for name, value in files.items() if "gammas" not in name})
    assert gamma_numbers(read_record(paths, cell), "ensemble") == {}
