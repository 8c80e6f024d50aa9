"""Write the GPU table of benchmarks/README.md from the result file of `benchmarks/gpu.py`.

    python benchmarks/gpu_table.py                  rows without a result say so
    python benchmarks/gpu_table.py results/gpu.jsonl

Of several results of the same name, the last one counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gpu_parts.results import OK, read_rows

README = Path(__file__).with_name("README.md")
RESULTS = Path(__file__).with_name("gpu.jsonl")
"""The results that the committed README shows; absent until a GPU has been measured."""
BEGIN, END = "<!-- gpu: written by `python benchmarks/gpu_table.py` -->", "<!-- end of gpu -->"
NOT_MEASURED = "not measured yet"
Rows = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "results", type=Path, nargs="?", help="result file; by default benchmarks/gpu.jsonl, if present"
    )
    file = parser.parse_args().results or (RESULTS if RESULTS.exists() else None)
    README.write_text(with_table(README.read_text(), gpu_section(read_rows(file) if file else [])))


def with_table(readme: str, section: str) -> str:
    """The README with everything between the markers replaced."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n\n{section}\n{END}{rest.split(END)[1]}"


def gpu_section(results: Iterable[dict[str, Any]]) -> str:
    """Device, steps and goals as Markdown. What was not measured, failed or was skipped is visible as such."""
    rows = {f"{row['part']}; {row['name']}": row for row in results}
    return "\n".join([_device(rows), "", *_steps(rows), "", *_goals(rows), ""])


def _device(rows: Rows) -> str:
    row = rows.get("checks; device")
    if row is None:
        return f"Device, driver and versions: **{NOT_MEASURED}**."
    facts = ("device", "driver", "torch", "cuda", "cudnn", "date")
    return f"Measured on {', '.join(f'{name} {row[name]}' for name in facts if name in row)}."


STEP_CASES = (
    "RefineNet-101, 500 px, batch 6",
    "PSPNet-101, 500 px, batch 6",
    "U-Net-256, 2 modalities, batch 1",
    "U-Net-256, 3 modalities, batch 1",
    "U-Net-256, 4 modalities, batch 1",
)
STEP_COLUMNS = (
    ("list float32", "list, float32"),
    ("list bfloat16", "list, bfloat16"),
    ("float32", "parallel, float32"),
    ("bfloat16", "parallel, bfloat16"),
    ("bfloat16, graph", "parallel, bfloat16, graph"),
    ("bfloat16, channels-last", "parallel, bfloat16, channels-last"),
    ("bfloat16, compile", "parallel, bfloat16, compile"),
)


def _steps(rows: Rows) -> Iterable[str]:
    yield f"| step, ms (peak memory, GiB) | {' | '.join(title for title, _ in STEP_COLUMNS)} |"
    yield "|---" * (len(STEP_COLUMNS) + 1) + "|"
    for case in STEP_CASES:
        cells = (_step(rows, case, setting) for _, setting in STEP_COLUMNS)
        yield f"| {case} | {' | '.join(cells)} |"


def _row_of_step(rows: Rows, case: str, setting: str) -> dict[str, Any] | None:
    part = "compile" if setting.endswith("compile") else "steps"
    return rows.get(f"{part}; {case}; {setting}")


def _step(rows: Rows, case: str, setting: str) -> str:
    row = _row_of_step(rows, case, setting)
    if row is None:
        return NOT_MEASURED
    if row["status"] != OK:
        return str(row["status"])
    memory = row["peak_memory_bytes"]
    return f"{1e3 * row['step_s']:.1f}" + (f" ({memory / 2**30:.1f})" if memory is not None else "")


def _goals(rows: Rows) -> Iterable[str]:
    yield "| goal | wanted | measured |"
    yield "|---|---|---|"
    refinenet, unet = STEP_CASES[0], STEP_CASES[2]
    for title, wanted, value in (
        ("RefineNet-101 step against the list, bfloat16", "2", _ratio(rows, refinenet, "parallel, bfloat16")),
        ("U-Net step against the list, bfloat16", "3", _ratio(rows, unet, "parallel, bfloat16, graph")),
        ("RefineNet-101, % of the dense bfloat16 peak", "50 %", _share(rows, refinenet)),
        ("waiting for data, translation", "under 2 %", _value(rows, f"input; {WAITING[0]}", "share_pct", " %")),
        ("waiting for data, segmentation", "under 2 %", _value(rows, f"input; {WAITING[1]}", "share_pct", " %")),
        ("4 U-Net cells on one GPU, throughput", "4", _best_sharing(rows, 4)),
        ("8 U-Net cells on one GPU, throughput", "4", _best_sharing(rows, 8)),
        ("Inception features per second", "-", _value(rows, f"input; {INCEPTION}", "images_per_s", "")),
    ):
        yield f"| {title} | {wanted} | {NOT_MEASURED if value is None else value} |"


WAITING = (
    "waiting for data; paper translation, 256 to 286 to 256 px",
    "waiting for data; paper segmentation, 468 x 625 to 500 px",
)
INCEPTION = "Inception-v3 features, random weights"


def _ratio(rows: Rows, case: str, setting: str) -> str | None:
    ours, theirs = (_row_of_step(rows, case, name) for name in (setting, "list, bfloat16"))
    return _from_ok((ours, theirs), lambda: f"{theirs['step_s'] / ours['step_s']:.2f}")  # type: ignore[index]


def _share(rows: Rows, case: str) -> str | None:
    row = _row_of_step(rows, case, "parallel, bfloat16")
    if row is not None and row["status"] == OK and row["share_of_peak"] is None:
        return "peak of this device not known"
    return _from_ok((row,), lambda: f"{100 * row['share_of_peak']:.0f} %")  # type: ignore[index]


def _value(rows: Rows, name: str, key: str, unit: str) -> str | None:
    row = rows.get(name)
    return _from_ok((row,), lambda: f"{row[key]:.3g}{unit}")  # type: ignore[index]


def _best_sharing(rows: Rows, cells: int) -> str | None:
    ways = {way: rows.get(f"sharing; {way}; {cells} cells") for way in ("processes", "processes under MPS")}
    measured = {way: row["ratio"] for way, row in ways.items() if row is not None and row["status"] == OK}
    if not measured:
        return _from_ok(tuple(ways.values()), str)
    return ", ".join(f"{ratio:.2f} ({way})" for way, ratio in measured.items())


def _from_ok(rows: tuple[dict[str, Any] | None, ...], value: Callable[[], str]) -> str | None:
    """`value()` if all rows were measured, the status of the first other one, or None without any."""
    if any(row is None for row in rows):
        return None
    other = [row["status"] for row in rows if row is not None and row["status"] != OK]
    return str(other[0]) if other else value()


if __name__ == "__main__":
    main()
