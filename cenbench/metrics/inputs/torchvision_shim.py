"""torchvision on a torch without its C extension.

torch-fidelity imports torchvision, whose wheel may be built for another torch (CUDA wheel, CPU torch): its extension
then does not load and `import torchvision` fails on operators it never gets to define. Declaring their schemas lets the
pure Python parts import; the operators themselves are not used here. Where the extension loads nothing is changed.
"""

from __future__ import annotations

import torch

# Holds the declarations: they vanish with the library object.
_DECLARED: list[torch.library.Library] = []


def import_torchvision() -> None:
    """Import torchvision, declaring its missing operators if need be."""
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
