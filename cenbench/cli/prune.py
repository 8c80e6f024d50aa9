"""`cenbench prune`: results that no preset asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cenbench.cli.options import Root, checkout, say, wide_console


def prune(
    preset: Annotated[
        list[str] | None,
        typer.Option(help="Keep only what this preset asks for; repeatable. Default: every preset in params/presets/."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove what is listed. Default: list only.")] = False,
    root: Root = Path(),
) -> None:
    """List the results that no preset asks for, with their sizes; with --delete, remove them.

    A changed parameter gives a cell a new id; the files of the old one stay
    until they are removed here. Covers cells, their training states, logs and
    pages, prepared datasets and cached features. Official files and pretrained
    weights are never removed, nor is anything that a process is working on.
    Exits with status 1 if something cannot be read or removed.

    Example: [bold]cenbench prune[/bold]

    Next: [bold]cenbench prune --delete[/bold] removes what is listed.
    """
    from cenbench.report.terminal_prune import count_words, leftovers_table, size_words
    from cenbench.schedule.prune import find_leftovers, remove, wanted_by

    paths = checkout(root)
    leftovers = find_leftovers(paths, wanted_by(paths.params, preset or ()))
    if not leftovers:
        say("nothing to prune: every result is asked for by a preset")
        return
    if delete:
        leftovers = remove(paths, leftovers)
    wide_console().print(leftovers_table(leftovers))
    removable = [leftover for leftover in leftovers if leftover.kept is None]
    size = size_words(sum(leftover.bytes for leftover in removable))
    if delete:
        say(f"removed {count_words(removable)}, {size}")
    elif removable:
        chosen = "".join(f" --preset {name}" for name in preset or ())
        say(f"to remove {count_words(removable)}, {size}: cenbench prune{chosen} --delete")
    if any(leftover.failed for leftover in leftovers):
        raise typer.Exit(1)
