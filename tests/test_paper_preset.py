"""The paper preset is complete: with what a user has to bring, full-size networks run and every table is rendered.

Nothing that may not be handed on is needed: datasets are stand-ins in the published formats, pretrained files random
numbers in the published layouts (docs/weights.md, "Without the published files").
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from checkout import REPOSITORY
from paper_one_step import NAME, add_stand_in_weights, inception_file, make, one_cell_a_table, resnet_file

from cenbench.matrix.plan import load_plan
from cenbench.metrics.inputs.extractors import load_extractor
from cenbench.nn.parameters import count_parameters
from cenbench.pretrained.add import add_weights
from cenbench.train import segmentation
from cenbench.train.imagenet import load_imagenet

OWN = "random numbers"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("downloads")
    resnet_file(folder / "resnet101.pth", 101)
    add_weights("resnet101", folder / "resnet101.pth", folder / "weights", own=OWN)
    return folder / "weights"


@pytest.mark.parametrize("head", ["refinenet", "pspnet"])
def test_full_size_networks_start_from_the_file_and_private_norms_from_the_same_one(weights: Path, head: str) -> None:
    plan = load_plan(REPOSITORY / "params", "paper")
    networks = [(cell.network.head, cell.network.depth, cell.fusion) for cell in plan.cells_of("table3")]
    cell = plan.cells_of("table3")[networks.index((head, 101, "exchange"))]
    network = segmentation.build(cell, 40)
    if head == "refinenet":
        assert count_parameters(network) == 118_201_578  # the released code's network (paper.md#parameters)
    load_imagenet(network.encoder, 101, weights)
    theirs = torch.load(weights / "resnet101-5d3b4d8f.pth", weights_only=True)
    ours = network.encoder.state_dict()
    private = [name for name, tensor in ours.items() if tensor.dim() == 2]
    assert len(private) == 4 * (1 + 33 * 3 + 4), "gamma, beta, mean and variance of every norm"
    for name in private:
        assert torch.equal(ours[name][0], ours[name][1]), name
    assert torch.equal(ours["stem_norm.weight"][1], theirs["bn1.weight"])
    assert torch.equal(ours["stages.2.22.conv2.conv.weight"], theirs["layer3.22.conv2.weight"])


def test_an_inception_of_ones_own_is_read_once_it_is_called_so(tmp_path: Path) -> None:
    inception_file(tmp_path / "download.pth")
    placed = add_weights("inception-v3", tmp_path / "download.pth", tmp_path, own=OWN)
    extractor = load_extractor("inception-v3", placed.path, torch.device("cpu"))
    assert extractor.identity == f"inception-v3 {placed.sha256}"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_one_step_of_one_cell_a_table_runs_through_and_every_table_is_rendered(tmp_path: Path) -> None:
    checkout = make(tmp_path / "checkout")
    plan = load_plan(checkout.root / "params", NAME)
    chosen = one_cell_a_table(plan)
    targets = [f"results/cells/{cell}/metrics.json" for cell in dict.fromkeys(chosen.values())]
    # Without weights every one of them is skipped, and says which file to bring.
    checkout.snakemake(*targets, "--cores", "1", "--config", f"preset={NAME}")
    skipped = [checkout.json(target) for target in targets]
    assert {each["state"] for each in skipped} == {"skipped"}
    assert all("cenbench weights add" in each["reason"] for each in skipped)

    add_stand_in_weights(checkout, tmp_path / "downloads")
    checkout.snakemake(*targets, "--cores", "1", "--config", f"preset={NAME}")
    checkout.run("python", "-m", "cenbench", "report", "--preset", NAME)
    for table, cell in chosen.items():
        record = checkout.json(f"results/cells/{cell}/metrics.json")
        assert record["state"] == "ok", record["reason"]
        assert OWN in " ".join(record["stand_in"].values())
        page = (checkout.root / f"reports/{NAME}/{table}.html").read_text()
        assert f'href="cells/{cell}.html"' in page
        assert (OWN in page) == (table != "table6"), "MAE and MSE are measured with nothing pretrained"
        entries = checkout.json(f"reports/{NAME}/{table}.json")["entries"]
        words = {value["verdict"]["word"] for entry in entries if entry["state"] == "ok" for value in entry["values"]}
        assert words <= {"none", "not comparable"}, "random weights reproduce nothing"
    provenance = checkout.json(f"results/cells/{chosen['table7']}/provenance.json")
    assert provenance["pretrained"]["resnet101-5d3b4d8f.pth"]["own"] == OWN
