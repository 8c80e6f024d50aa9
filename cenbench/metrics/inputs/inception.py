"""Inception-v3 as FID is defined with it: torch-fidelity's network, and the file of weights that it publishes."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn

from cenbench.errors import UserError
from cenbench.metrics.inputs.torchvision_shim import import_torchvision
from cenbench.regular_file import is_system_error, unreadable
from cenbench.tensor_file import load_tensors

import_torchvision()  # torch-fidelity imports torchvision
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: E402

_SHOWN = 300
_PROBLEM = "not torch-fidelity's Inception-v3 weights"
_FIX = "cenbench weights add inception-v3 FILE, with the file that torch-fidelity publishes"


def read_inception(path: Path) -> nn.Module:
    """The network in torch-fidelity's file. `UserError` if `path` does not hold every key in the right shape."""
    try:
        with path.open("rb") as file:
            state = load_tensors(file, path)
        # torch-fidelity unpickles its file without restrictions, so it gets a copy of tensors that were read safely.
        safe = io.BytesIO()
        torch.save(state, safe)
        safe.seek(0)
        network: nn.Module = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=safe
        )
        return network
    except Exception as error:  # the file may hold anything, and torch-fidelity fails on it in any way
        # torch lists every key that does not fit; its heading and the first key are enough.
        found = error.found if isinstance(error, UserError) else " ".join(str(error).split("\n")[:2])[:_SHOWN]
        raise UserError(
            f"{path.name} cannot be accessed" if is_system_error(error) else _PROBLEM,
            where=path,
            found=found or type(error).__name__,
            fix=unreadable(path, error).fix if is_system_error(error) else _FIX,
        ) from error
