"""State dicts of the paper's released code, loaded into our modules strictly by key and shape (paper.md#networks).

Finding and opening the file is left to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cenbench.errors import UserError

# Our names -> those of the released code, tried in order. `{m}` stands for the modality of a private norm.
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
# Norms that the released networks hold but never apply (paper.md#unused-norms), and a counter ours do without.
_UNUSED = {
    "segmenter": r".*\.num_batches_tracked",
    "generator": r".*\.num_batches_tracked|(conv1|conv{last}|deconv{last})\.insnorm_\w+\..*",
    "discriminator": r".*\.num_batches_tracked|(conv1|conv{last})\.insnorm\..*",
}


def official_names(module: nn.Module, kind: str) -> dict[str, list[str]]:
    """Our state-dict name -> the released code's name of each of its rows (one per modality for private norms)."""
    return {ours: _names(ours, tensor, kind) for ours, tensor in module.state_dict().items()}


def load_official(module: nn.Module, state: Mapping[str, Tensor], kind: str) -> None:
    """Copy the state of a released `segmenter`, `generator` or `discriminator` into `module`, in place.

    Raises `UserError` naming the first key that is missing, superfluous, or of another shape (with both shapes).
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
    """Whether a tensor of the released code corresponds to all of ours, rather than to one modality's row."""
    return not re.search(r"\.(bn_\d|insnorm_\d|insnorm\.module)\.", name) or ours.dim() != 2


def _names(ours: str, tensor: Tensor, kind: str) -> list[str]:
    for pattern, replacement in _TABLES[kind]:
        match = re.fullmatch(pattern, ours)
        if match is None:
            continue
        name = match.expand(replacement)
        # The released code numbers layers from one; both number the decoder's stages from the deepest encoder stage.
        name = re.sub(r"<<(\d)>>", lambda number: str(int(number[1]) + 2), name)
        name = re.sub(r"<(\d)>", lambda number: str(int(number[1]) + 1), name)
        return [name.replace("{m}", str(m)) for m in range(tensor.shape[0])] if "{m}" in name else [name]
    raise ValueError(f"{ours} has no counterpart in the released {kind}")


def _stack(like: Tensor, rows: list[Tensor]) -> Tensor:
    """One row per modality -> our tensor; a single tensor keeps its values."""
    return rows[0].reshape(like.shape) if len(rows) == 1 else torch.stack(rows).reshape(like.shape)
