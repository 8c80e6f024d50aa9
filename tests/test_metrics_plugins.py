"""One conformance suite for every metric: a file in `cenbench/metrics` is all it takes to be in it.

Only the agreement with an independent implementation has to be written by hand, in tests/metric_references.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from checkout import REPOSITORY, copy_code
from metric_references import REFERENCES, THIN
from torch import Tensor

from cenbench.errors import UserError
from cenbench.evaluate.per_image import ConfusionCollector
from cenbench.matrix import metrics as declarations
from cenbench.matrix.metrics import Needs, metrics, metrics_that_need
from cenbench.metrics.inputs import pixels, scores
from cenbench.metrics.inputs.boundaries import Boundaries
from cenbench.metrics.inputs.confusion import Confusion
from cenbench.metrics.inputs.edges import Edges
from cenbench.metrics.inputs.extractors import Extractor, load_extractor
from cenbench.metrics.inputs.features import Features, Subsets
from cenbench.metrics.inputs.gammas import GammaArrays, gamma_metrics
from cenbench.metrics.inputs.images import to_uint8
from cenbench.metrics.inputs.network import exchange_numbers, network_costs
from cenbench.metrics.inputs.pixels import Pixels
from cenbench.metrics.inputs.plugins import plugins
from cenbench.metrics.inputs.scores import (
    boundary_scores,
    confusion_scores,
    edge_scores,
    feature_scores,
    pixel_scores,
    thin_scores,
)

CPU = torch.device("cpu")
VOID, CLASSES, STREAMS = 255, 6, ("rgb", "depth", "ensemble")
IMAGES, SIDE_PX = 7, 16
SUBSETS = Subsets(count=3, size=5, seed=11)
SHARES = {"rgb": 0.25, "depth": 0.125, "ensemble": 0.1875}
COUNTS = {"total": 118_201_600, "fusion": 130_000, "flops": 23_456_789_000}

CONFUSION, PIXELS = metrics_that_need("confusion"), metrics_that_need("pixels")
LABELS = metrics_that_need("confusion", "thin", "boundaries")
TRANSLATION = metrics_that_need("features", "pixels", "edges")
MEASURED = (*LABELS, *TRANSLATION)
# Float64 sums, and convolutions of the stand-in extractor, in another order.
REORDERED = 1e-9

Drawn = tuple[Tensor, Tensor]
INPUTS: dict[str, Callable[[torch.device], Any]] = {
    "confusion": lambda device: Confusion(STREAMS, CLASSES, VOID, device),
    "thin": lambda device: Confusion(STREAMS, CLASSES, VOID, device),
    "boundaries": lambda device: Boundaries(STREAMS, CLASSES, VOID, device),
    "pixels": lambda device: Pixels(STREAMS, device),
    "edges": lambda device: Edges(STREAMS, "depth"),
}
SCORES: dict[str, Callable[[Any], Any]] = {
    "confusion": confusion_scores,
    "thin": lambda confusion: thin_scores(confusion, THIN),
    "boundaries": boundary_scores,
    "pixels": pixel_scores,
    "edges": edge_scores,
}


def labels(noise: float, seed: int = 1) -> Drawn:
    """Classes predicted (N, S, H, W), up to a share `noise` of them at random, and labels, a tenth of them void."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, CLASSES, (IMAGES, SIDE_PX, SIDE_PX), generator=generator)
    shape = IMAGES, len(STREAMS), SIDE_PX, SIDE_PX
    guess = torch.randint(0, CLASSES, shape, generator=generator)
    noise_S = noise * torch.tensor([1.0, 0.9, 0.8])
    noisy = torch.rand(shape, generator=generator) < noise_S[:, None, None]
    prediction = torch.where(noisy, guess, label[:, None])
    label[torch.rand(label.shape, generator=generator) < 0.1] = VOID
    return prediction, label


def images(noise: float, seed: int = 2) -> Drawn:
    """Images (N, S, 3, H, W) and their targets in [-1, 1], of patches; `noise` blends in other, brighter images."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*leading: int) -> Tensor:
        coarse = torch.rand((*leading, 3, SIDE_PX // 4, SIDE_PX // 4), generator=generator) * 2 - 1
        return coarse.repeat_interleave(4, -1).repeat_interleave(4, -2)

    target = drawn(IMAGES)
    return (1 - noise) * target[:, None] + noise * (drawn(IMAGES, len(STREAMS)) + 1) / 2, target


def drawn_gammas() -> GammaArrays:
    """Five points of 40 factors, of which some fall under theta and some of those come back; two modalities."""
    random = np.random.default_rng(4)
    path_TN = random.normal(0, 1, (5, 40)).cumsum(0)
    shares_TL = random.random((2, 5, 6))
    return GammaArrays(0.5, 2e-2, path_TN, random.normal(0, 1, (2, 60)), *shares_TL, np.array([4, 8, 8, 2, 16, 2]))


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return load_extractor("seeded-conv", Path("no-weights"), CPU)


Scores = dict[str, dict[str, float]]
Score = Callable[..., Scores]


@pytest.fixture(scope="module")
def score(extractor: Extractor) -> Iterator[Score]:
    """stream -> metric -> value of what was drawn, given in batches of so many, for what the metric needs."""

    def scored(metric: str, drawn: Drawn, batch: int = IMAGES, device: torch.device = CPU) -> Scores:
        pieces = list(zip(*(part.to(device).split(batch) for part in drawn), strict=True))
        needs = metrics()[metric].needs
        with torch.inference_mode():
            if needs == "features":
                real_ND = extractor.features(to_uint8(drawn[1]))
                found = Features(STREAMS, extractor, real_ND, SUBSETS)
                for image, _ in pieces:
                    found.update(image)
                return feature_scores(found)
            made = INPUTS[needs](device)
            for prediction, truth in pieces:
                made.update(prediction, truth)
            return SCORES[needs](made)

    yield scored


def drawn_for(metric: str, noise: float) -> Drawn:
    return labels(noise) if metric in LABELS else images(noise)


def values(found: Scores, metric: str) -> list[float]:
    return [found[stream][metric] for stream in STREAMS]


def test_headings_tell_metrics_apart() -> None:
    assert len({metric.title for metric in metrics().values()}) == len(metrics())


@pytest.mark.parametrize("metric", MEASURED)
def test_each_stream_has_its_own_value_and_it_repeats(metric: str, score: Score) -> None:
    drawn = drawn_for(metric, 0.3)
    found = values(score(metric, drawn, 3), metric)
    assert found == values(score(metric, drawn, 3), metric)
    assert len(set(found)) == len(STREAMS), "equal streams could not show a mix-up"


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("metric", MEASURED)
def test_the_batch_size_changes_nothing(metric: str, batch: int, score: Score) -> None:
    drawn = drawn_for(metric, 0.3)
    whole, pieces = (values(score(metric, drawn, size), metric) for size in (IMAGES, batch))
    assert pieces == (whole if metric in LABELS else pytest.approx(whole, rel=REORDERED))


def reference_of(metric: str) -> Any:
    if metric not in REFERENCES:
        pytest.fail(f"tests/metric_references.py needs an independent implementation of {metric}")
    return REFERENCES[metric]


@pytest.mark.parametrize("metric", [name for name in MEASURED if metrics()[name].perfect is not None])
def test_a_perfect_prediction_has_the_declared_value(metric: str, score: Score) -> None:
    found = values(score(metric, drawn_for(metric, 0.0), 3), metric)
    rounding = reference_of(metric).rel
    assert found == pytest.approx([metrics()[metric].perfect] * len(STREAMS), rel=rounding, abs=rounding)


@pytest.mark.parametrize("metric", MEASURED)
def test_the_declared_direction_is_the_better_one(metric: str, score: Score) -> None:
    sign = 1 if metrics()[metric].better == "higher" else -1
    found = [sign * values(score(metric, drawn_for(metric, noise), 3), metric)[0] for noise in (0.0, 0.3, 0.9)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("metric", (*LABELS, *PIXELS, *metrics_that_need("edges")))
def test_the_value_on_a_gpu_is_that_on_the_cpu(metric: str, score: Score) -> None:
    drawn = drawn_for(metric, 0.3)
    expected = values(score(metric, drawn, 3), metric)
    found = values(score(metric, drawn, 3, torch.device("cuda")), metric)
    assert found == (expected if metric in LABELS else pytest.approx(expected, rel=reference_of(metric).rel))


@pytest.mark.parametrize("metric", CONFUSION)
def test_a_class_that_is_nowhere_changes_nothing(metric: str, score: Score) -> None:
    drawn = labels(0.3)
    expected = score(metric, drawn, 3)["rgb"][metric]
    made = Confusion(STREAMS, CLASSES + 2, VOID, CPU)
    made.update(*drawn)
    assert confusion_scores(made)["rgb"][metric] == pytest.approx(expected, rel=1e-14)  # sums of more terms, all zero


@pytest.mark.parametrize("metric", CONFUSION)
def test_a_class_that_is_only_predicted_gives_no_better_value(metric: str) -> None:
    label = torch.zeros(1, 2, 2, dtype=torch.int64)
    found = []
    for guess in ([[0, 0], [0, 1]], [[0, 0], [2, 1]]):
        made = Confusion(("rgb",), 3, VOID, CPU)
        made.update(torch.tensor([[guess]]), label)
        found.append(confusion_scores(made)["rgb"][metric])
    sign = 1 if metrics()[metric].better == "higher" else -1
    assert sign * found[1] < sign * found[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("metric", TRANSLATION)
def test_an_image_that_is_not_numbers_is_refused(
    metric: str, value: float, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each metric alone, so that none relies on another to refuse it."""
    image, target = images(0.3)
    image[2, 1, 0, 3, 3] = value
    for module in (pixels, scores):
        monkeypatch.setattr(module, "plugins", lambda needs: {metric: plugins(needs)[metric]})
    with pytest.raises(UserError, match=r"not numbers|not a finite number"):
        score(metric, (image, target), 3)


@pytest.mark.parametrize("metric", CONFUSION)
def test_a_label_out_of_range_is_refused(metric: str, score: Score) -> None:
    prediction, label = labels(0.3)
    label[1, 3, 4] = CLASSES
    with pytest.raises(UserError, match="neither a class nor void"):
        score(metric, (prediction, label), 3)


@pytest.mark.parametrize("metric", metrics())
def test_the_value_is_that_of_an_independent_implementation(metric: str, score: Score, extractor: Extractor) -> None:
    reference = reference_of(metric)
    if metrics()[metric].needs == "network":
        assert network_costs(COUNTS)[metric] == pytest.approx(reference.compute(COUNTS), rel=reference.rel)
        return
    if metrics()[metric].needs == "exchange":
        found_pct = exchange_numbers({"overall": SHARES}, "ensemble")[metric]
        assert found_pct == pytest.approx(reference.compute(SHARES, "ensemble"), rel=reference.rel)
        return
    if metrics()[metric].needs == "gammas":
        gammas = drawn_gammas()
        assert gamma_metrics(gammas)[metric] == pytest.approx(reference.compute(gammas), rel=reference.rel)
        return
    drawn = drawn_for(metric, 0.3)
    found = score(metric, drawn, 3)
    for number, stream in enumerate(STREAMS):
        given: tuple[Any, ...] = (drawn[0][:, number], drawn[1])
        if metric in LABELS:
            given += (VOID,)
        elif metrics()[metric].needs == "features":
            given = tuple(extractor.features(to_uint8(part)) for part in given)
            given += (SUBSETS.count, SUBSETS.size, SUBSETS.seed)
        assert found[stream][metric] == pytest.approx(reference.compute(*given), rel=reference.rel)


def test_every_reference_is_of_a_metric() -> None:
    assert set(REFERENCES) <= set(metrics())


def test_the_page_on_metrics_lists_them_and_shows_the_file_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in page.splitlines() if line.startswith("| `")]
    listed = {name.strip("`"): (title, needs) for name, title, needs in rows}
    for name, metric in metrics().items():
        unit = f" ({metric.unit})" if metric.unit else ""
        assert listed.get(name) == (f"{metric.title}{unit}", metric.needs)
    assert set(listed) - set(metrics()) == set(get_args(Needs)), "the second table's rows"
    assert (REPOSITORY / "cenbench" / "metrics" / "ssim.py").read_text(encoding="utf-8").rstrip() in page


DRAWN_TWICE = torch.tensor([0, 3, 3, 6, 5])


@pytest.mark.parametrize("metric", CONFUSION)
def test_per_image_counts_give_the_metric_of_any_images(metric: str, score: Score) -> None:
    prediction, label = labels(0.3)
    collector = ConfusionCollector(STREAMS, CLASSES)
    made = Confusion(STREAMS, CLASSES, VOID, CPU)
    for piece in zip(prediction.split(3), label.split(3), strict=True):
        collector.add(made.update(*piece).numpy())
    collected = collector.collected()
    times_N = torch.bincount(DRAWN_TWICE, minlength=IMAGES).numpy()
    expected = score(metric, (prediction[DRAWN_TWICE], label[DRAWN_TWICE]), 2)
    for stream in STREAMS:
        pooled_KK = torch.from_numpy(collected.confusion[stream].pooled_KK(times_N)).double()
        assert plugins("confusion")[metric].compute(pooled_KK) == expected[stream][metric]


@pytest.mark.parametrize("metric", PIXELS)
def test_per_image_means_give_the_metric_of_any_images(metric: str, score: Score) -> None:
    image, target = images(0.3)
    made = Pixels(STREAMS, CPU)
    for piece in zip(image.split(3), target.split(3), strict=True):
        made.update(*piece)
    expected = score(metric, (image[DRAWN_TWICE], target[DRAWN_TWICE]), 2)
    for stream in STREAMS:
        mean_N = torch.from_numpy(made.means()[stream][metric])[DRAWN_TWICE]
        found = plugins("pixels")[metric].compute(mean_N.sum(), len(mean_N)).item()
        assert found == pytest.approx(expected[stream][metric], rel=REORDERED)


@pytest.mark.parametrize("needs", ["confusion", "pixels", "features"])
def test_a_value_that_is_not_finite_is_named(needs: Needs, score: Score, monkeypatch: pytest.MonkeyPatch) -> None:

    class Wrong:
        values = staticmethod(lambda image, target: image)
        compute = staticmethod(lambda *_: torch.full((3,), torch.nan) if needs == "pixels" else float("nan"))

    for module in (pixels, scores):
        monkeypatch.setattr(module, "plugins", lambda needs: {"wrong": Wrong})
    with pytest.raises(UserError, match="not a finite number") as caught:
        score(metrics_that_need(needs)[0], labels(0.3) if needs == "confusion" else images(0.3), 3)
    assert caught.value.key == "wrong"


DECLARED = {"TITLE": "'Any'", "UNIT": "'%'", "BETTER": "'higher'", "DECIMALS": "1", "NEEDS": "'pixels'", "PERFECT": "1"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in place of `cenbench/metrics`."""
    monkeypatch.setattr(declarations, "_FOLDER", tmp_path)
    metrics.cache_clear()
    yield tmp_path
    metrics.cache_clear()


def declare(path: Path, **changes: str | None) -> None:
    said = {**DECLARED, **changes}
    lines = [f"{name} = {value}" for name, value in said.items() if value is not None]
    path.write_text("\n".join([*lines, "def compute(total, count): ...", "def values(image, target): ..."]))


def test_a_file_in_the_folder_is_a_metric_and_one_below_it_is_not(folder: Path) -> None:
    declare(folder / "any_pct.py")
    (folder / "__init__.py").touch()
    (folder / "inputs").mkdir()
    (folder / "inputs" / "tool.py").touch()
    (metric,) = metrics().values()
    assert (metric.name, metric.title, metric.unit, metric.decimals) == ("any_pct", "Any", "%", 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in DECLARED),
        *(("TITLE", "''"), ("TITLE", "str(3)"), ("UNIT", "None"), ("BETTER", "'more'"), ("DECIMALS", "True")),
        *(("DECIMALS", "-1"), ("NEEDS", "'pixel'"), ("PERFECT", "'one'"), ("PERFECT", "1e999")),
    ],
)
def test_a_declaration_that_is_missing_or_wrong_is_named(name: str, value: str | None, folder: Path) -> None:
    declare(folder / "any_pct.py", **{name: value})
    with pytest.raises(UserError, match="a metric's file must declare this") as caught:
        metrics()
    assert (caught.value.where, str(caught.value.key).partition(" (line ")[0]) == (folder / "any_pct.py", name)
    assert "inputs" in str(caught.value.fix), "the file may be no metric at all"


ADDED = '''
"""The largest error of each image, averaged."""
TITLE = "Largest error"
UNIT = "x"
BETTER = "lower"
DECIMALS = 3
NEEDS = "pixels"
PERFECT = 0.0


def values(image_BSCHW, target_BCHW):
    return (image_BSCHW - target_BCHW[:, None]).double().abs().amax((2, 3, 4))


def compute(total, count):
    return total / count
'''
ASKS = """
from pathlib import Path
import torch
from cenbench.matrix.schema import schemas
from cenbench.matrix.table import load_table
from cenbench.metrics.inputs.pixels import Pixels
from cenbench.metrics.inputs.scores import pixel_scores
from cenbench.report.value import heading

assert "largest_error" in str(schemas()["table.json"])
assert load_table(Path("params"), "table6").metrics[0] == "largest_error"
assert heading("largest_error").startswith("Largest error (x)")
made = Pixels(("rgb",), torch.device("cpu"))
made.update(torch.zeros(2, 1, 3, 8, 8), torch.full((2, 3, 8, 8), 0.25))
assert pixel_scores(made)["rgb"]["largest_error"] == 0.25
"""


def test_one_file_is_all_a_metric_takes(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    copy_code(root)
    (root / "cenbench" / "metrics" / "largest_error.py").write_text(ADDED)
    table = root / "params" / "table6.yaml"
    table.write_text(table.read_text().replace("metrics: [mae_x10", "metrics: [largest_error, mae_x10", 1))
    subprocess.run([sys.executable, "-c", ASKS], cwd=root, check=True, env={"PYTHONPATH": str(root)})


def test_an_incomplete_metric_is_a_message_not_a_traceback(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    copy_code(root)
    (root / "cenbench" / "metrics" / "new_pct.py").write_text('TITLE = "New"\n')
    command = [sys.executable, "-m", "cenbench", "plan"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={"PYTHONPATH": str(root)}, check=False)
    assert done.returncode == 2, done.stderr
    assert "new_pct.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_costs_are_read_without_torch() -> None:
    """Reports compute them, and start without torch."""
    code = f"import sys; from cenbench.metrics.inputs.network import network_costs; network_costs({COUNTS!r});"
    done = subprocess.run(
        [sys.executable, "-c", f"{code} print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


def test_costs_whose_count_a_record_lacks_are_left_out() -> None:
    assert network_costs({"total": 2_500_000}) == {"params_m": 2.5}
    assert network_costs({}) == {}
