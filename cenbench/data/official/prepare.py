"""From a raw folder to a prepared dataset: scan it, read it in worker processes, record its files in the manifest."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from cenbench.data.manifest import MANIFEST, SourceEntry, is_prepared, read_manifest
from cenbench.data.official.adapter import Adapter, OfficialFile, Scan, read_excluded
from cenbench.data.progress import remark
from cenbench.data.raw_folder import files_to_pull, holds_raw_files
from cenbench.data.reading import EXCLUDE
from cenbench.data.recipe import Recipe
from cenbench.data.shards import prepare_shards, remove_shards
from cenbench.errors import UserError
from cenbench.files import digest, sha256_file
from cenbench.matrix.specs import DatasetSpec, dataset_key


def prepare_official(
    adapter: Adapter, spec: DatasetSpec, root: Path, workers: int, progress: bool, raw: Path | None = None
) -> Path:
    """Prepare `root/<key>` and return it.

    `raw` is the folder with the official files, `root/../raw/NAME` by default. A complete dataset is prepared again if
    `raw` now holds other files, or files that changed since (`FilesOfScan.match`). Raises `UserError` as `Adapter.scan`
    and `Adapter.read` do.
    """
    if spec.version != adapter.VERSION:
        raise UserError("the adapter has no such version", key="version", found=spec.version, expected=adapter.VERSION)
    folder = root / dataset_key(spec)
    complete = is_prepared(folder)
    given, raw = raw is not None, raw or default_raw(root, adapter.NAME)
    if complete and not given and not holds_raw_files(raw):
        return folder
    if not holds_raw_files(raw):
        raise absent(adapter, raw)
    try:
        scan = _with_excluded(adapter.scan(raw, spec), raw)
    except UserError as error:
        if not complete or given:
            raise
        remark(f"{folder.name} is kept as prepared, because its raw files cannot be used: {error}")
        return folder
    files = FilesOfScan(raw, scan)
    if complete and files.match(folder):
        remove_shards(folder)
        return folder
    for line in remarks(adapter, raw, scan):
        remark(line)
    prepare_shards(_recipe(adapter, spec, files), root, workers, progress, again=complete)
    for line in unpublished(adapter, folder):
        remark(line)
    return folder


def _with_excluded(scan: Scan, raw: Path) -> Scan:
    """The scan with the samples of the exclude list, and with that list among its sources."""
    if not (excluded := read_excluded(raw)):
        return scan
    return replace(scan, sources=(*scan.sources, EXCLUDE), excluded=(*scan.excluded, *sorted(excluded.items())))


def _recipe(adapter: Adapter, spec: DatasetSpec, files: FilesOfScan) -> Recipe:
    scan = files.scan
    return Recipe(
        spec=spec,
        modalities=scan.modalities,
        scenes=scan.samples,
        make=partial(adapter.read, files.raw, spec),
        doing="reading",
        classes=adapter.CLASSES,
        licence=adapter.LICENCE,
        citation=adapter.CITATION,
        fingerprint=files.fingerprint,
        sources=lambda: files.entries(adapter.FILES),
        names=tuple(sample.id for sample in scan.samples),
        excluded=dict(scan.excluded),
        notes=scan.notes,
    )


def default_raw(root: Path, name: str) -> Path:
    """Default folder of official files: `data/raw/NAME`, beside `data/prepared`."""
    return root.parent / "raw" / name


def absent(adapter: Adapter, raw: Path) -> UserError:
    """The error for absent official files: which ones to put where."""
    wanted = [f"{file.name}{_size(file)}: {file.where}" for file in adapter.FILES]
    tracked = files_to_pull(raw)
    nothing = "only DVC's placeholders" if tracked else "an empty folder"
    pull = f"dvc pull (DVC tracks files of {raw.name}); or " if tracked else ""
    return UserError(
        f"the official files of {adapter.TITLE} are missing",
        where=raw,
        found=nothing if raw.is_dir() else "no such folder",
        expected="\n    ".join(["", *wanted, f"see {adapter.URL} and docs/datasets.md"]),
        fix=f"{pull}put them into {raw} (or name another folder with --raw), then rerun the command",
    )


def remarks(adapter: Adapter, raw: Path, scan: Scan) -> list[str]:
    """Remarks about a usable raw folder: files whose size differs from the published one, the scan's notes, and samples
    that are left out.
    """
    lines = [
        f"{file.name} is not the published file: {found:,} bytes, published {file.bytes:,}"
        for file in adapter.FILES
        if file.name in scan.sources and file.bytes and (found := (raw / file.name).stat().st_size) != file.bytes
    ]
    lines += scan.notes
    if scan.excluded:
        shown = ", ".join(f"{name} ({why})" for name, why in scan.excluded[:5])
        more = f", and {len(scan.excluded) - 5} more" if len(scan.excluded) > 5 else ""
        lines.append(f"left out: {shown}{more}")
    return lines


def unpublished(adapter: Adapter, folder: Path) -> list[str]:
    """Remarks about files of the published size with other content, known once they are read."""
    sizes = {file.name: file.bytes for file in adapter.FILES}
    return [
        f"{entry.name} is not the published file: it has that size, but its SHA-256 is {entry.sha256}"
        for entry in read_manifest(folder).sources
        if entry.published is False and entry.bytes == sizes[entry.name]
    ]


@dataclass(frozen=True)
class FilesOfScan:
    """The files that a scan found, as they are on disk now."""

    raw: Path
    scan: Scan

    def fingerprint(self) -> str:
        """Digest that changes with the name, size or times of any file, and with the samples to read."""
        names = [*self.scan.sources, *self._of_samples()]
        stats = [(name, *self._stat(name)) for name in names]
        return digest([stats, [asdict(sample) for sample in self.scan.samples]])

    def entries(self, published: tuple[OfficialFile, ...]) -> tuple[SourceEntry, ...]:
        """Manifest entries: a SHA-256 of every shared file; for files of samples, one digest per folder."""
        known = {file.name: file for file in published}
        shared = [
            SourceEntry(
                name=name,
                bytes=self._stat(name)[0],
                sha256=(found := sha256_file(self.raw / name)),
                published=_is_published(self.raw / name, found, known.get(name)),
            )
            for name in self.scan.sources
        ]
        return (*shared, *self._folders())

    def match(self, folder: Path) -> bool:
        """Whether the complete dataset in `folder` was made from these files.

        They have the same names and sizes. A file whose ctime is later than the manifest may have been replaced, by one
        with an old date too (cp -p, rsync, unzip, wget): the SHA-256 of a shared file decides. No digest of the files
        of single samples is known, so one that was touched counts as changed.
        """
        manifest = read_manifest(folder)
        if manifest.scenes != tuple(sample.id for sample in self.scan.samples):
            return False
        stored = {entry.name: (entry.bytes, entry.files, entry.sha256) for entry in manifest.sources}
        now = {entry.name: (entry.bytes, entry.files, entry.sha256) for entry in self._folders()}
        for name in self.scan.sources:  # computing their SHA-256 takes too long here
            now[name] = (self._stat(name)[0], 1, stored.get(name, (0, 0, ""))[2])
        made_ns = (folder / MANIFEST).stat().st_mtime_ns
        if stored != now or any(self._touched(name, made_ns) for name in self._of_samples()):
            return False
        return all(self._has_digest(name, now[name][2]) for name in self.scan.sources if self._touched(name, made_ns))

    def _touched(self, name: str, since_ns: int) -> bool:
        """Whether a file's ctime is later. A date in the future is that of a clock that was ahead, and tells nothing.

        Its modification time does not count: programs set it to what they like.
        """
        return since_ns < self._stat(name)[2] <= time.time_ns()

    def _has_digest(self, name: str, sha256: str) -> bool:
        remark(f"reading {self.raw / name}, which was touched, for its SHA-256")
        return sha256_file(self.raw / name) == sha256

    def _folders(self) -> list[SourceEntry]:
        folders: dict[str, list[tuple[str, int]]] = {}
        for name in self._of_samples():
            folders.setdefault(f"{name.partition('/')[0]}/", []).append((name, self._stat(name)[0]))
        return [
            SourceEntry(name=name, bytes=sum(size for _, size in files), files=len(files), sha256=digest(files))
            for name, files in sorted(folders.items())
        ]

    def _of_samples(self) -> list[str]:
        return sorted({name for sample in self.scan.samples for name in sample.files.values()} - set(self.scan.sources))

    def _stat(self, name: str) -> tuple[int, int, int]:
        """Size, and times of modification and of change (ns)."""
        try:
            stat = (self.raw / name).stat()
        except FileNotFoundError as error:
            raise UserError(
                f"{name} is gone", where=self.raw / name, fix="put it back, then rerun the command"
            ) from error
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _size(file: OfficialFile) -> str:
    return f" ({file.bytes:,} bytes)" if file.bytes else ""


def _is_published(path: Path, sha256: str, file: OfficialFile | None) -> bool | None:
    if file is None or not (file.sha256 or file.md5):
        return None
    if file.sha256:
        return sha256 == file.sha256
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest() == file.md5
