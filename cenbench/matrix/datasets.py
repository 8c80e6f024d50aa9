"""Find a dataset of a preset by its name or key."""

from __future__ import annotations

from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.matrix.specs import DatasetSpec, dataset_key


def datasets_of(params: Path, preset: str) -> tuple[DatasetSpec, ...]:
    """The datasets that the cells of a preset read, each once, in the order of the plan."""
    return load_plan(params, preset).datasets


def find_dataset(params: Path, preset: str, name: str) -> DatasetSpec:
    """The preset's dataset with this name or key. Raises `UserError`, with all keys, unless there is exactly one."""
    specs = datasets_of(params, preset)
    found = [spec for spec in specs if name in (spec.name, dataset_key(spec))]
    if len(found) == 1:
        return found[0]
    raise UserError(
        f"preset {preset!r} has no dataset {name!r}" if not found else f"{name!r} is the name of more than one dataset",
        where=params / "presets" / f"{preset}.yaml",
        found=name,
        expected=", ".join(dataset_key(spec) for spec in specs),
        fix=_presets_with(params, name) or f"cenbench data list --preset {preset}",
    )


def _presets_with(params: Path, name: str) -> str | None:
    """A hint at the presets that have this dataset; None if there are none."""
    presets = []
    for path in sorted((params / "presets").glob("*.yaml")):
        try:
            specs = datasets_of(params, path.stem)
        except UserError:
            continue  # an invalid preset is reported when it is used itself
        if any(name in (spec.name, dataset_key(spec)) for spec in specs):
            presets.append(path.stem)
    return f"add --preset with one of: {', '.join(presets)}" if presets else None
