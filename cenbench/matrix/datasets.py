"""From a name a person types to the dataset a preset means by it."""

from __future__ import annotations

from pathlib import Path

from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.matrix.specs import DatasetSpec, dataset_key


def datasets_of(params: Path, preset: str) -> list[DatasetSpec]:
    """The datasets the cells of a preset read, each once, in the order of the plan."""
    return list(dict.fromkeys(cell.dataset for cell in load_plan(params, preset).cells.values()))


def find_dataset(params: Path, preset: str, name: str) -> DatasetSpec:
    """The one dataset of the preset whose name or key is `name`; a `UserError` lists the ones there are."""
    specs = datasets_of(params, preset)
    found = [spec for spec in specs if name in (spec.name, dataset_key(spec))]
    if len(found) == 1:
        return found[0]
    raise UserError(
        f"preset {preset!r} has no dataset {name!r}" if not found else f"{name!r} names more than one dataset",
        where=params / "presets" / f"{preset}.yaml",
        found=name,
        expected=", ".join(dataset_key(spec) for spec in specs),
        fix=_presets_with(params, name) or f"cenbench data list --preset {preset}",
    )


def _presets_with(params: Path, name: str) -> str | None:
    """How to name the dataset of another preset; None where no preset has it."""
    presets = []
    for path in sorted((params / "presets").glob("*.yaml")):
        try:
            specs = datasets_of(params, path.stem)
        except UserError:
            continue  # that preset's own mistake is told when it is asked for
        if any(name in (spec.name, dataset_key(spec)) for spec in specs):
            presets.append(path.stem)
    return f"add --preset with one of: {', '.join(presets)}" if presets else None
