"""Importing torchvision when its C extension does not load.

torch-fidelity imports torchvision, whose wheel may have been built for another torch (a CUDA wheel
beside a CPU torch). Its extension then fails to load, and `import torchvision` fails because operators are not defined.
Declaring their schemas is enough to import the Python parts; the operators themselves are never called here. If the
extension loads, nothing changes.
"""

from __future__ import annotations

import torch

# Keeps the declarations alive: they vanish with the library object.
_DECLARED: list[torch.library.Library] = []


def import_torchvision() -> None:
    """Import torchvision, after declaring its operators if they are missing."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(library)
        import torchvision  # noqa: F401
