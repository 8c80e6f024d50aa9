"""Prepared datasets that are damaged, or another's: Snakemake prepares them again before cells read them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator

from cenbench.data.manifest import MANIFEST, Damaged, OtherDataset, is_prepared, read_manifest
from cenbench.data.prepared import Prepared
from cenbench.errors import UserError
from cenbench.matrix.plan import Plan
from cenbench.matrix.specs import dataset_key
from cenbench.paths import RELATIVE, Paths
from cenbench.sha256_cache import cached_sha256, known_sha256

log = logging.getLogger("cenbench")


def damaged_manifests(plan: Plan, paths: Paths, read_soon: Collection[str], works: bool) -> Iterator[str]:
    """The manifest of every damaged dataset of the plan, as a target of Snakemake; logs what is wrong with it.

    Datasets in `read_soon`, by their keys, are checked to the last byte, which the first cell would do otherwise, and
    fail: if this process `works`, it reads the files that were touched since they were last read; a dry run compares
    the digests that were noted then, and writes nothing. Of other datasets, only the manifest is read. One that is not
    prepared, or that the file system does not give, is none of them.
    """
    for spec in plan.datasets:
        key = dataset_key(spec)
        if (problem := _problem(paths, key, key in read_soon, works)) is not None:
            log.warning("dataset %s is prepared again: %s", key, problem)
            yield (RELATIVE.data / key / MANIFEST).as_posix()


def _problem(paths: Paths, key: str, whole: bool, works: bool) -> str | None:
    folder = paths.data / key
    try:
        if not is_prepared(folder):
            return None
        if whole:
            _check(paths, Prepared.open(folder), works)
        else:
            read_manifest(folder)
    except (Damaged, OtherDataset) as error:
        return error.problem
    except UserError:
        pass  # the cells report it
    return None


def _check(paths: Paths, prepared: Prepared, works: bool) -> None:
    """`Damaged` if a file is known to differ from the manifest."""
    declared = prepared.manifest.files
    if works:
        prepared.verify(lambda path: cached_sha256(path, paths.verified))
    else:
        prepared.verify(lambda path: known_sha256(path, paths.verified) or declared[path.name].sha256)
