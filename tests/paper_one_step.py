"""A checkout in which the paper preset takes one step a cell: networks full size, stand-ins for data and weights.

The preset is `paper.yaml` itself with its counts cut (scenes, epochs, batches, the crop of a segmentation step):
tables, networks, objectives, evaluation and its extractor are the paper's. Data are stand-ins in the published formats.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import official_nyudv2
import official_taskonomy
import torch
import yaml
from checkout import Checkout, copy_code

from cenbench.matrix.plan import Plan
from cenbench.metrics.inputs.torchvision_shim import import_torchvision

NAME = "paper-one-step"
DATASETS = {"segmentation": official_nyudv2.write_mat, "translation": official_taskonomy.write_sample}


def make(root: Path, tables: list[str] | None = None) -> Checkout:
    """A checkout with the preset and the raw folders. `tables` leaves only these in the preset."""
    copy_code(root)
    checkout = Checkout(root)
    preset = one_step(yaml.safe_load((root / "params/presets/paper.yaml").read_text()))
    checkout.write(f"params/presets/{NAME}.yaml", yaml.safe_dump({**preset, "tables": tables or preset["tables"]}))
    for kind, write in DATASETS.items():
        raw = root / "data" / "raw" / preset[kind]["dataset"]["name"]
        raw.mkdir(parents=True)
        write(raw)
    return checkout


def one_step(preset: dict) -> dict:
    """The paper preset with its counts cut: two scenes of each split, so one batch of two is an epoch."""
    segmentation, translation = preset["segmentation"], preset["translation"]
    for part in (segmentation, translation):
        part["dataset"] |= {"train_scenes": 2, "val_scenes": 2}
        part["evaluation"]["samples"] = 1
        # Two images: a pyramid's 1x1 bin has no variance over one.
        part["protocol"]["batch_size"] = 2
    segmentation["protocol"] |= {"phases": segmentation["protocol"]["phases"][:1], "crop_px": 128}
    del segmentation["protocol"]["min_side_px"]
    segmentation["protocol"]["phases"][0]["epochs"] = 1
    translation["protocol"]["epochs"] = 1
    translation["evaluation"] |= {"batch_size": 2, "kid_subset_size": 2, "kid_subsets": 1}
    preset["figures"].remove("figure13")  # nine more cells, which differ in two numbers only
    return {**preset, "name": NAME, "description": "One step a cell, on stand-ins.", "seeds": [1]}


def resnet_file(path: Path, depth: int) -> None:
    """Random weights in the layout of torchvision's file."""
    import_torchvision()
    from torchvision import models

    torch.manual_seed(depth)
    torch.save(getattr(models, f"resnet{depth}")(weights=None).state_dict(), path)


def inception_file(path: Path) -> None:
    """Random weights in the layout of torch-fidelity's file."""
    import_torchvision()
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    with (
        mock.patch.object(inception.FeatureExtractorInceptionV3, "load_state_dict"),
        mock.patch.object(inception, "load_state_dict_from_url"),
    ):
        torch.manual_seed(5)
        torch.save(inception.FeatureExtractorInceptionV3("random", ["2048"]).state_dict(), path)


def add_stand_in_weights(checkout: Checkout, folder: Path) -> None:
    """Random ResNet-101 and Inception files, placed as a user places weights of their own: said to be no others."""
    folder.mkdir(parents=True, exist_ok=True)
    resnet_file(folder / "resnet101.pth", 101)
    inception_file(folder / "inception-v3.pth")
    for name in ("resnet101", "inception-v3"):
        file = str(folder / f"{name}.pth")
        checkout.run("python", "-m", "cenbench", "weights", "add", name, file, "--own", "random numbers")


def one_cell_a_table(plan: Plan) -> dict[str, str]:
    """Table -> the id of one of its cells: the first, and PSPNet on ResNet-101 for table 3."""
    chosen = {table.name: table.cells[0].id for table in plan.tables}
    heads = {(cell.network.head, cell.network.depth): cell.id for cell in reversed(plan.cells_of("table3"))}
    return {**chosen, "table3": heads["pspnet", 101]}
