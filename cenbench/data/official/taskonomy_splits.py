"""Splits Taskonomy's views into train and val: by the released code's lists, by the published table of buildings, or,
without either, into parts that share no building (in a single building: no point).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cenbench.data.official.adapter import Sample, Split, Unusable, choose, read_excluded
from cenbench.data.official.taskonomy_views import OPTIONAL, REQUIRED, Views, building_of, lacks, point_of, view_name
from cenbench.data.reading import read_lines
from cenbench.errors import UserError
from cenbench.matrix.specs import DatasetSpec

LISTS: dict[Split, str] = {"train": "train_domain.txt", "val": "val_domain.txt"}
"""Lists of the released code; a line is `{domain}/point_407_view_2_domain_{domain}.png`, with literal braces."""
_FIX = "copy it from image2image_translation/data of github.com/yikaiw/CEN, or remove both lists"
_LINE = re.compile(r"((?:[^/]+/)*)point_(\d+)_view_(\d+)_domain_([\w{}]+)\.png")
_BUILDINGS = "train_val_test_*.csv"
"""Table of splits_taskonomy.zip; a line is `building,1,0,0`: in train, in val, in test."""

Candidates = tuple[list[str], list[str]]


def choose_views(
    raw: Path, views: Views, spec: DatasetSpec
) -> tuple[tuple[Sample, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """(samples, the lists they come from, (view or domain, reason) left out); as many as the spec asks for."""
    lists = [name for name in LISTS.values() if (raw / name).exists() or (raw / name).is_symlink()]
    tables = sorted(
        str(path.relative_to(raw)) for pattern in (_BUILDINGS, f"*/{_BUILDINGS}") for path in raw.glob(pattern)
    )
    excluded: list[tuple[str, str]] = []
    if lists:
        train, val = _by_lists(raw, views)
        sources = list(LISTS.values())
    else:
        excluded = [(view, f"no {', no '.join(lacks(domains))}") for view, domains in views.items() if lacks(domains)]
        whole = {view: domains for view, domains in views.items() if not lacks(domains)}
        if tables:
            train, val, strange = _by_table(raw, tables, whole)
            excluded += strange
        else:
            train, val = _by_parts(whole, spec)
        sources = tables
    chosen = choose(raw, spec, [Sample(view, "train") for view in train], [Sample(view, "val") for view in val])
    domains = [*REQUIRED]
    for domain in OPTIONAL:
        absent = sum(domain not in views[sample.id] for sample in chosen)
        if not absent:
            domains.append(domain)
        elif absent < len(chosen):
            excluded.append((domain, f"not stored: {absent} of the chosen views lack it"))
    samples = [
        Sample(sample.id, sample.split, {domain: views[sample.id][domain] for domain in domains}) for sample in chosen
    ]
    return tuple(samples), tuple(sources), tuple(excluded)


def _by_lists(raw: Path, views: Views) -> Candidates:
    """The views that the two lists name; each must exist in every required domain."""
    named = {split: _read_list(raw / name) for split, name in LISTS.items()}
    unusable, left_out = Unusable(), read_excluded(raw)
    for split, name in LISTS.items():
        for view in named[split]:
            if view in left_out:
                continue
            if view not in views:
                unusable.add(f"{name}, {view}", "no such view")
            elif absent := lacks(views[view]):
                unusable.add(f"{name}, {view}", f"no {', no '.join(absent)}")
    unusable.refuse(raw, "the lists name images that do not exist", "get the rest of the dataset, or fix the lists")
    return named["train"], named["val"]


def _read_list(path: Path) -> list[str]:
    """Views in the order of a list."""
    views = []
    for number, line in read_lines(path, fix=_FIX):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(
                "a line of a list has an unexpected format",
                where=path,
                key=f"line {number}",
                found=line,
                expected="{domain}/point_407_view_2_domain_{domain}.png",
            )
        views.append(view_name(tuple(match[1].split("/")[:-1]), match[2], match[3], match[4]))
    return views


def _by_table(raw: Path, tables: list[str], views: Views) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """The views of the buildings that the table assigns to train and to val; (building, reason) of every building that
    it does not name. `UserError` if it names none.
    """
    if len(tables) > 1:
        raise UserError(
            "several tables of buildings lie side by side", where=raw, found=", ".join(tables), expected="one",
            fix="keep the one to use (tiny, medium, full or fullplus)",
        )  # fmt: skip
    split_of: dict[str, str] = {}
    for number, line in read_lines(raw / tables[0], fix="get it again from splits_taskonomy.zip"):
        row = [cell.strip() for cell in line.split(",")]
        if number == 1 and row[1:] == ["train", "val", "test"]:
            continue
        if len(row) != 4 or not set(row[1:]) <= {"0", "1"} or row[1:].count("1") > 1:
            raise UserError(
                "a line of the table of buildings has an unexpected format",
                where=raw / tables[0], key=f"line {number}", found=line, expected="building,1,0,0",
            )  # fmt: skip
        split = ("train", "val", "test", "none")[[*row[1:], "1"].index("1")]
        if split_of.setdefault(row[0], split) != split:
            raise UserError(
                "the table of buildings names one twice, in two splits", where=raw / tables[0], key=f"line {number}",
                found=f"{row[0]}: {split_of[row[0]]} and {split}", expected="one split",
            )  # fmt: skip
    # The last folder is the building's own; those before it come from the download.
    halves: dict[str, list[str]] = {"train": [], "val": [], "test": [], "none": []}
    unnamed: Counter[str] = Counter()
    for view in views:
        building = building_of(view).rpartition("/")[2]
        if building in split_of:
            halves[split_of[building]].append(view)
        else:
            unnamed[building or "no folder of a building"] += 1
    if len(views) == unnamed.total() > 0:
        raise UserError(
            "the table names no building of this folder", where=raw / tables[0],
            found=f"{_some(unnamed)} in the folder; {_some(split_of)} in the table", expected="the same names",
            fix="rename the folders as in the table; or get the table of this download from splits_taskonomy.zip",
        )  # fmt: skip
    reasons = [(name, f"{count} views: {tables[0]} does not name it") for name, count in sorted(unnamed.items())]
    return halves["train"], halves["val"], reasons


def _some(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")


def _by_parts(views: Views, spec: DatasetSpec) -> Candidates:
    """Two parts that share no building, or no point if there is only one building; drawn with the spec's seed."""
    part_of = building_of if len({building_of(view) for view in views}) > 1 else point_of
    parts = sorted({part_of(view) for view in views})
    share = spec.val_scenes / (spec.train_scenes + spec.val_scenes)
    count = min(max(1, round(share * len(parts))), len(parts) - 1)
    order = np.random.default_rng([spec.seed, len(LISTS)]).permutation(len(parts))
    held_out = {parts[position] for position in order[:count]}
    return [v for v in views if part_of(v) not in held_out], [v for v in views if part_of(v) in held_out]
