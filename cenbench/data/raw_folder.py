"""Whether official files of a published dataset lie in a folder. Nothing is read; no NumPy here."""

from __future__ import annotations

from pathlib import Path


def holds_raw_files(raw: Path) -> bool:
    """Whether anything is there besides what DVC and git keep in place of files that were not fetched."""
    return raw.is_dir() and any(path.suffix != ".dvc" and path.name != ".gitignore" for path in raw.iterdir())


def files_to_pull(raw: Path) -> bool:
    """Whether DVC knows files of this folder, which may not be here yet."""
    return any(raw.glob("*.dvc")) or raw.with_name(f"{raw.name}.dvc").is_file()
