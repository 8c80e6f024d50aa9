"""The params and the exported results of another revision of the repository. Torch-free.

Results are not part of a commit. What is found are archives of `cenbench results export` in results/ that the revision
tracks, with DVC (`results/demo.tar.dvc`) or in git itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cenbench.errors import UserError
from cenbench.run.archive import unpack
from cenbench.run.revision import git

_ARCHIVE = re.compile(r"results/[^/]+\.tar(\.gz|\.bz2|\.xz)?(\.dvc)?")
_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class RevisionResults:
    """Two folders: one holds the revision's params/, the other its results/."""

    commit: str
    params: Path
    results: Path


def find_commit(root: Path, name: str) -> str | None:
    """The commit that git calls `name` (a branch, a tag, `HEAD~1`, a hash); None if it knows none."""
    if name.startswith("-"):
        return None
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except (OSError, subprocess.SubprocessError):
        return None


def revision_results(root: Path, commit: str, preset: str, folder: Path) -> RevisionResults:
    """Unpack the params and the results of a commit below `folder`, an empty one.

    Of several archives, the one named after the preset is taken. Raises `UserError` if the commit tracks none, or
    several of which none is, and if DVC cannot get it.
    """
    archive = _archive(root, commit, preset)
    local = folder / PurePosixPath(archive).name.removesuffix(".dvc")
    if archive.endswith(".dvc"):
        _dvc_get(root, commit, archive.removesuffix(".dvc"), local)
    else:
        _git_file(root, local, "cat-file", "blob", f"{commit}:{archive}")
    _git_file(root, folder / "params.tar", "archive", "--format=tar", commit, "--", "params")
    params = unpack(folder / "params.tar", folder / "params-of-revision")
    return RevisionResults(commit, params / "params", unpack(local, folder / "results-of-revision"))


def _archive(root: Path, commit: str, preset: str) -> str:
    tracked = git(root, "ls-tree", "-r", "--name-only", commit, "--", "results/").splitlines()
    archives = [name for name in tracked if _ARCHIVE.fullmatch(name)]
    named = [name for name in archives if PurePosixPath(name).name.partition(".")[0] == preset]
    if len(found := named or archives) == 1:
        return found[0]
    problem = "several archives of results, none named after the preset" if archives else "no archive of results"
    export = f"cenbench results export results/{preset}.tar --preset {preset}, then dvc add it and commit"
    raise UserError(
        f"revision {commit[:10]} tracks {problem}",
        found=", ".join(archives) or None,
        expected=f"results/{preset}.tar.dvc",
        fix=f"{export}, in a checkout of that revision; or compare two checkouts (docs/compare.md)",
    )


def _dvc_get(root: Path, commit: str, path: str, out: Path) -> None:
    options = ["--rev", commit, "--out", str(out), "--quiet"]
    _run([sys.executable, "-m", "dvc", "get", *options, str(root.resolve()), path], f"DVC cannot get {path}")


def _git_file(root: Path, out: Path, *arguments: str) -> None:
    """Write what git prints to a file."""
    with out.open("wb") as file:
        _run(["git", "-C", str(root), *arguments], f"git cannot read {arguments[-1]}", file.fileno())


def _run(command: list[str], problem: str, stdout: int = subprocess.DEVNULL) -> None:
    try:
        subprocess.run(
            command, check=True, stdout=stdout, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(problem, found=lines[-1] if lines else None, fix="dvc pull, where the files are") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(problem, found=str(error)) from None
