"""State dicts of the paper's released code, read into our modules: strictly, by key and shape (paper.md#networks).

Only key and shape are looked at here; where the file lies and how it is opened is the caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cenbench.errors import UserError

# Our names -> the released code's, tried in order. `{m}` stands for the modality of a private norm.
_SEGMENTER = (
    (r"ensemble\.alpha", "alpha"),
    (r"encoder\.stem\.conv\.(\w+)", r"conv1.module.\1"),
    (r"encoder\.stem_norm\.(\w+)", r"bn1.bn_{m}.\1"),
    (r"encoder\.stages\.(\d)\.(\d+)\.conv(\d)\.conv\.(\w+)", r"layer<\1>.\2.conv\3.module.\4"),
    (r"encoder\.stages\.(\d)\.(\d+)\.norm(\d)\.(\w+)", r"layer<\1>.\2.bn\3.bn_{m}.\4"),
    (r"encoder\.stages\.(\d)\.(\d+)\.shortcut\.0\.conv\.(\w+)", r"layer<\1>.\2.downsample.0.module.\3"),
    (r"encoder\.stages\.(\d)\.(\d+)\.shortcut\.1\.(\w+)", r"layer<\1>.\2.downsample.1.bn_{m}.\3"),
    (r"decoder\.stages\.(\d)\.reduce\.conv\.(\w+)", r"p_ims1d2_outl<\1>_dimred.module.\2"),
    (r"decoder\.stages\.(\d)\.adapt\.first\.(\d)\.conv\.(\w+)", r"adapt_stage<\1>_b.0.<\2>_conv.module.\3"),
    (
        r"decoder\.stages\.(\d)\.adapt\.second\.(\d)\.conv\.(\w+)",
        r"adapt_stage<\1>_b.0.<\2>_conv_relu_varout_dimred.module.\3",
    ),
    (r"decoder\.stages\.(\d)\.join\.conv\.(\w+)", r"adapt_stage<\1>_b2_joint_varout_dimred.module.\2"),
    (r"decoder\.stages\.(\d)\.pool\.convs\.(\d)\.conv\.(\w+)", r"mflow_conv_g<\1>_pool.0.<\2>_outvar_dimred.module.\3"),
    (r"decoder\.stages\.(\d)\.refine\.first\.(\d)\.conv\.(\w+)", r"mflow_conv_g<\1>_b.0.<\2>_conv.module.\3"),
    (
        r"decoder\.stages\.(\d)\.refine\.second\.(\d)\.conv\.(\w+)",
        r"mflow_conv_g<\1>_b.0.<\2>_conv_relu_varout_dimred.module.\3",
    ),
    (r"decoder\.stages\.(\d)\.out\.conv\.(\w+)", r"mflow_conv_g<\1>_b3_joint_varout_dimred.module.\2"),
    (r"decoder\.classifier\.conv\.(\w+)", r"clf_conv.module.\1"),
)
_GENERATOR = (
    (r"ensemble\.alpha", "alpha"),
    (r"down\.(\d)\.conv\.(\w+)", r"conv<\1>.conv.module.\2"),
    (r"down_norms\.(\d)\.(\w+)", r"conv<<\1>>.insnorm_conv.insnorm_{m}.\2"),
    (r"up\.(\d)\.conv\.(\w+)", r"deconv<\1>.deconv.module.\2"),
    (r"up_norms\.(\d)\.(\w+)", r"deconv<\1>.insnorm_deconv.insnorm_{m}.\2"),
)
_DISCRIMINATOR = (
    (r"convs\.(\d)\.(\w+)", r"conv<\1>.conv.module.\2"),
    (r"norms\.(\d)\.(\w+)", r"conv<<\1>>.insnorm.module.\2"),
)
_TABLES = {"segmenter": _SEGMENTER, "generator": _GENERATOR, "discriminator": _DISCRIMINATOR}
# Norms the released networks carry and never apply (paper.md#unused-norms), and a counter ours do without.
_UNUSED = {
    "segmenter": r".*\.num_batches_tracked",
    "generator": r".*\.num_batches_tracked|(conv1|conv{last}|deconv{last})\.insnorm_\w+\..*",
    "discriminator": r".*\.num_batches_tracked|(conv1|conv{last})\.insnorm\..*",
}


def official_names(module: nn.Module, kind: str) -> dict[str, list[str]]:
    """Our state-dict name -> the released code's name for each row of it (one a modality for private norms)."""
    return {ours: _names(ours, tensor, kind) for ours, tensor in module.state_dict().items()}


def load_official(module: nn.Module, state: Mapping[str, Tensor], kind: str) -> None:
    """Copy a released `segmenter`, `generator` or `discriminator` state into `module`, in place.

    Raises `UserError` naming the first key that is missing, left over, or of another shape (both shapes).
    """
    rows = official_names(module, kind)
    own = module.state_dict()
    for ours, names in rows.items():
        for name in names:
            expected = own[ours].shape if len(names) == 1 and name_is_whole(own[ours], name) else own[ours].shape[1:]
            found = tuple(state[name].shape) if name in state else "no such key"
            if found != tuple(expected):
                raise UserError(f"not a released {kind} checkpoint", key=name, found=found, expected=tuple(expected))
    known = {name for names in rows.values() for name in names}
    last = max((int(match[1]) for key in state if (match := re.match(r"conv(\d)\.", key))), default=0)
    unused = re.compile(_UNUSED[kind].replace("{last}", str(last)))
    for key in state:
        if key not in known and not unused.fullmatch(key):
            raise UserError(f"not a released {kind} checkpoint: it has more than the network", key=key)
    module.load_state_dict({ours: _stack(own[ours], [state[name] for name in names]) for ours, names in rows.items()})


def name_is_whole(ours: Tensor, name: str) -> bool:
    """Whether one of the released code's tensors is ours whole, rather than one modality's row of it."""
    return not re.search(r"\.(bn_\d|insnorm_\d|insnorm\.module)\.", name) or ours.dim() != 2


def _names(ours: str, tensor: Tensor, kind: str) -> list[str]:
    for pattern, replacement in _TABLES[kind]:
        match = re.fullmatch(pattern, ours)
        if match is None:
            continue
        name = match.expand(replacement)
        # Their layers count from one; the decoder's stages count from the deepest encoder stage in both.
        name = re.sub(r"<<(\d)>>", lambda number: str(int(number[1]) + 2), name)
        name = re.sub(r"<(\d)>", lambda number: str(int(number[1]) + 1), name)
        return [name.replace("{m}", str(m)) for m in range(tensor.shape[0])] if "{m}" in name else [name]
    raise ValueError(f"{ours} has no counterpart in the released {kind}")


def _stack(like: Tensor, rows: list[Tensor]) -> Tensor:
    """One row a modality -> ours; a tensor that is ours whole stays as it is."""
    return rows[0].reshape(like.shape) if len(rows) == 1 else torch.stack(rows).reshape(like.shape)
