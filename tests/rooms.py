"""The rooms of the package: their order, what each may import, and the table of docs/architecture.md made from both.

`python tests/rooms.py` rewrites that table; tests/test_architecture.py checks that code and document obey.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from import_graph import REPOSITORY, Sources, read_sources

DOCUMENT = REPOSITORY / "docs" / "architecture.md"
COMMAND = "python tests/rooms.py"
BEGIN, END = f"<!-- rooms: written by `{COMMAND}` -->\n", "<!-- end of rooms -->\n"

MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "matrix": (),
    "data": ("matrix.specs", "matrix.cell", "matrix.stored_arrays"),
    "nn": (),
    "metrics": ("matrix.metrics",),
    "pretrained": ("matrix", "metrics"),
    "train": ("matrix", "data", "nn", "pretrained.catalog"),
    "evaluate": ("matrix", "data", "nn", "metrics", "pretrained.catalog", "train"),
    "records": (
        *("matrix", "data", "metrics.inputs.network", "metrics.inputs.gammas", "pretrained"),
        *("train.history", "train.gamma_file"),
        *("train.task", "evaluate.task", "evaluate.measured", "evaluate.per_image"),
    ),
    "run": ("matrix", "data", "nn", "pretrained", "train", "evaluate", "records"),
    "schedule": ("matrix", "data", "pretrained", "records", "run"),
    "doctor": ("matrix", "data", "pretrained", "records", "run"),
    "stats": (),
    "report": ("matrix", "data", "metrics.inputs.network", "pretrained", "records", "schedule", "doctor", "stats"),
    "cli": (
        *("matrix", "data", "nn", "metrics", "pretrained", "train", "evaluate", "records", "run", "schedule"),
        *("doctor", "stats", "report"),
    ),
}
"""Room -> the rooms, or single modules of rooms, that it may import. A room stands below all that it imports."""

SHARED = (
    "cpus",
    "gpus",
    "errors",
    "file_kind",
    "file_lock",
    "files",
    "paths",
    "process",
    "redact",
    "regular_file",
    "sha256_cache",
    "strict_json",
    "tensor_archive",
    "tensor_file",
    "visible",
    "warm_interpreter",
    "warm_start",
    "work_lock",
)
"""Modules beside the rooms. All may import them; they import each other, and from the rooms nothing but types."""

ENTRY = "__main__"
"""`python -m cenbench`: imports the command line and is imported by nobody."""


def room_table(sources: Sources) -> str:
    """The rooms in order, in Markdown: what each holds (its docstring) and what it may import."""
    lines = ["| package | holds | may import |", "|---|---|---|"]
    for name in SHARED:
        lines.append(f"| `cenbench/{name}.py` | {_sentence(sources, name)} | each other |")
    above: list[str] = []
    for name, allowed in MAY_IMPORT.items():
        named = ", ".join(f"`{room}`" for room in allowed) or "-"
        imported = "all of the above" if above and list(allowed) == above else named
        lines.append(f"| `cenbench/{name}` | {_sentence(sources, name)} | {imported} |")
        above.append(name)
    return "\n".join(lines) + "\n"


def _sentence(sources: Sources, name: str) -> str:
    """The first paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(sources[name].tree) or ""
    return " ".join(docstring.split("\n\n")[0].split()).replace("|", r"\|")


def with_table(document: str, table: str) -> str:
    """The document with `table` between its two markers, which must be there once each."""
    before, _, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{DOCUMENT.name} lacks the lines {BEGIN!r} and {END!r}"
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    written = with_table(DOCUMENT.read_text(encoding="utf-8"), room_table(read_sources()))
    DOCUMENT.write_text(written, encoding="utf-8")
    print(f"{DOCUMENT.relative_to(REPOSITORY)}: the table of rooms is up to date")
