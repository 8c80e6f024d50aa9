"""Whether a folder holds official files of a published dataset. Reads no file and imports no NumPy."""

from __future__ import annotations

from pathlib import Path

from cenbench.data.reading import file_system_errors


def holds_raw_files(raw: Path) -> bool:
    """Whether the folder holds anything but the placeholders that DVC and git keep for files not fetched yet."""
    with file_system_errors(raw):
        return raw.is_dir() and any(path.suffix != ".dvc" and path.name != ".gitignore" for path in raw.iterdir())


def files_to_pull(raw: Path) -> bool:
    """Whether DVC tracks files of this folder, which may not be fetched yet."""
    return any(raw.glob("*.dvc")) or raw.with_name(f"{raw.name}.dvc").is_file()
