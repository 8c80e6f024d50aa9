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
from cenbench.records.gammas import gamma_numbers, read_gammas
from cenbench.records.read import read_record
from cenbench.report.attraction_note import attraction_note
from cenbench.stats.attraction import attraction_probability, calibration, gaussian_departure
from cenbench.train.gamma_file import Gammas

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
    gammas = GammaArrays(0.5, 2e-2, path_TN, final_MN, shares + 0.75, shares + 0.5, np.array([5]))
    found = gamma_metrics(gammas)
    assert found["recovered_pct"] == pytest.approx(100 * 2 / 3), (
        "of three once under theta, two are above it at the end"
    )
    assert found["shared_small_pct"] == pytest.approx(100 / 4)
    assert found["theorem_excess_pct"] == pytest.approx(25)
    assert "theorem_excess_pct" not in gamma_metrics(replace(gammas, lambda_l1=0.0)), "no l1 term, no prediction"
    none = gamma_metrics(replace(gammas, theta=0.05, small_gradient_TL=shares[:0], probability_TL=shares[:0]))
    assert none == {}, "nothing is small, and nothing was recorded"


def test_a_page_tells_the_shares_and_how_the_gradients_differ_from_gaussian_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, paths = make_root(tmp_path, tiny=True)
    cell = next(cell for cell in plan.cells.values() if cell.l1 != "none")
    publish(paths, cell)
    record = read_record(paths, cell)
    gammas = read_gammas(record)
    assert isinstance(gammas, Gammas)
    assert "Half of the gradients are zero" in attraction_note(record)
    random = np.random.default_rng(5)
    for draws, words in (
        (random.standard_normal(DRAWS), "about Gaussian"),
        (random.standard_t(2, DRAWS), "not Gaussian"),
    ):
        deciles = np.quantile(np.abs(draws), np.arange(1, 10) / 10)
        layer = gammas.layers["norm"]
        layers = {
            "norm": replace(layer, gradient_deciles_TMD=np.broadcast_to(deciles, layer.gradient_deciles_TMD.shape))
        }
        tenths = np.full(gammas.probability_tenths_TMD.shape, 0.5)
        changed = replace(gammas, layers=layers, probability_tenths_TMD=tenths, small_gradient_tenths_TMD=tenths + 0.25)
        monkeypatch.setattr("cenbench.report.attraction_note.read_gammas", lambda record, changed=changed: changed)
        note = attraction_note(record)
        assert words in note
        assert "zero attracts 75.0 % of the channels" in note
        assert "50.0 % are predicted" in note
        assert "differ by 25.0 points" in note
    assert attraction_note(replace(record, cell=cell.model_copy(update={"l1": "none"}))) == ""


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
