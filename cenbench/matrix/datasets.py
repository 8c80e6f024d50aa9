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
    """The preset's dataset with this name or key. Raises `UserError`, with the keys, unless there is exactly one."""
    found = find_datasets(params, preset, name)
    if len(found) == 1:
        return found[0]
    keys = [dataset_key(spec) for spec in found]
    raise UserError(
        f"preset {preset!r} has {len(found)} datasets of this name",
        found=name,
        expected="a key: " + ", ".join(f"{key} ({_size(spec)})" for key, spec in zip(keys, found, strict=True)),
        fix=f"write {keys[0]} instead of {name}",
    )


def _size(spec: DatasetSpec) -> str:
    """How many scenes each split has, which tells datasets of one name apart."""
    scenes = {"train": spec.train_scenes, "val": spec.val_scenes, "tune": spec.tune_scenes}
    return ", ".join(f"{count} {split}" for split, count in scenes.items() if count)


def find_datasets(params: Path, preset: str, name: str) -> tuple[DatasetSpec, ...]:
    """The preset's datasets with this name or key. Raises `UserError`, with all keys, if there are none."""
    specs = datasets_of(params, preset)
    if found := tuple(spec for spec in specs if name in (spec.name, dataset_key(spec))):
        return found
    raise UserError(
        f"preset {preset!r} has no dataset {name!r}",
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
