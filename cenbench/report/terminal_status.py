"""The status of a plan's cells in a terminal: one line per cell, the totals, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from cenbench.matrix.cost_lines import duration
from cenbench.matrix.plan import Plan
from cenbench.report.terminal import literal
from cenbench.schedule.status import FINISHED, STATES, Activity, CellStatus, all_ended, counts

_COLUMNS = ("cell", "state", "where", "what", "steps/s", "left", "heartbeat")
_ALWAYS = ("cell", "state")
_NUMBERS = ("steps/s", "left", "heartbeat")
_REASON = 100
"""Characters shown of a reason; the cell's page and the JSON have all of it."""
_BETWEEN = 2
"""Characters between two columns."""
_SHORTEST_ID = 16
STUCK_S = 600.0
"""A running cell that reports no progress for this long is flagged."""
_STYLES: dict[Activity, str] = {
    "running": "bold cyan",
    "stopped": "bold red",
    "lost": "bold red",
    "queued": "cyan",
    "failed": "bold red",
    "damaged": "bold red",
    "stale": "yellow",
    "skipped": "yellow",
    "missing": "dim",
    "ok": "green",
}


def render_status(
    plan: Plan, cells: Sequence[CellStatus], left: str, height: int | None = None, width: int = 80
) -> RenderableType:
    """Cells that run or need attention come first. `left` states the remaining work.

    With a `height`, the lines are limited to it, and ids to what fits `width` on one line.
    """
    ordered = sorted(cells, key=lambda cell: STATES.index(cell.state))
    shown = ordered if height is None else ordered[: max(3, height - 8)]
    parts: list[RenderableType] = [_table(shown, None if height is None else width)]
    if len(shown) < len(cells):
        more = _counted(ordered[len(shown) :])
        listed = f"without --watch, all {len(cells)} are listed"
        parts.append(literal(f"and {len(cells) - len(shown)} more ({more}); {listed}", "dim"))
    total = f"{_cells(len(cells))} of preset {plan.preset}: {_counted(cells)}. {left}".rstrip()
    last = f"next: {next_command(plan, cells)}" if height is None or all_ended(cells) else "Ctrl-C quits"
    return Group(*parts, Text(), literal(total), literal(last))


def not_started(plan: Plan, started: Plan, *, named: bool = False) -> str:
    """The parts of the plan that `started` leaves out: their names, or how many there are; empty if there are none."""
    names = [name for name in plan.names if name not in started.names]
    if not names:
        return ""
    if not named:
        return f"Not started: {len(names)} other {'table or figure' if len(names) == 1 else 'tables and figures'}."
    return f"not started: {', '.join(names)} ({_cells(len(plan.cells) - len(started.cells), 'more ')})"


def _cells(number: int, which: str = "") -> str:
    return f"{number} {which}{'cell' if number == 1 else 'cells'}"


def next_command(plan: Plan, cells: Sequence[CellStatus]) -> str:
    """The command to type now."""
    found, preset = counts(cells), plan.preset
    again = f"snakemake {_target(plan, cells)} --config preset={preset}   (on a cluster: with --profile slurm)"
    if found["stopped"]:
        stopped = next(cell for cell in cells if cell.state == "stopped")
        return (stopped.reason or "").partition(": ")[2]
    if found["failed"]:
        failed = next(cell for cell in cells if cell.state == "failed")
        return f"cenbench log '{failed.cell_id}' --preset {preset}; then {again}" if failed.log else again
    if found["lost"] or found["missing"] or found["stale"] or found["damaged"]:
        return again if not found["running"] and not found["queued"] else f"cenbench status --preset {preset} --watch"
    if found["running"] or found["queued"]:
        return f"cenbench status --preset {preset} --watch"
    shown = (plan.tables or plan.figures)[0]
    return f"cenbench show {shown.name} --preset {preset}"


def _target(plan: Plan, cells: Sequence[CellStatus]) -> str:
    """What makes the unfinished cells: `all_figures` where no table shows one of them."""
    figures = {figure.name for figure in plan.figures}
    unfinished = [set(cell.tables) for cell in cells if cell.state not in FINISHED]
    return "all_figures" if unfinished and all(names and names <= figures for names in unfinished) else "all_tables"


def _counted(cells: Sequence[CellStatus]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts(cells).items() if number)


def _table(cells: Sequence[CellStatus], width: int | None) -> Table:
    """One line per cell. Within a `width`, ids are shortened; without one, they wrap. Empty columns are left out."""
    rows = [_row(cell) for cell in cells]
    table = Table(box=None, pad_edge=False)
    kept = [number for number, name in enumerate(_COLUMNS) if name in _ALWAYS or any(row[number] for row in rows)]
    if width is not None and rows:
        widest = [max(len(_COLUMNS[number]), *(row[number].cell_len for row in rows)) for number in kept[1:]]
        others = sum(widest) + _BETWEEN * len(widest)
        room = max(_SHORTEST_ID, width - others)
        for row, text in zip(rows, short_ids([cell.cell_id for cell in cells], room), strict=True):
            row[0] = literal(text)
    for name in (_COLUMNS[number] for number in kept):
        justify: JustifyMethod = "right" if name in _NUMBERS else "left"
        wraps = name == "what" or (name == "cell" and width is None)
        table.add_column(name, justify=justify, overflow="fold", no_wrap=not wraps)
    for row in rows:
        table.add_row(*(row[number] for number in kept))
    return table


def short_ids(ids: Sequence[str], room: int) -> list[str]:
    """The ids in at most `room` characters: without the words that all share, then cut in the middle.

    The hash at the end, which every command accepts in place of the id, is always whole.
    """
    parts = [cell_id.split(".") for cell_id in ids]
    if len(set(ids)) > 1 and max(map(len, ids)) > room and len({len(part) for part in parts}) == 1:
        differ = [len(set(words)) > 1 for words in zip(*parts, strict=True)]
        parts = [[word for word, kept in zip(part, differ, strict=True) if kept] for part in parts]
    return [_cut(".".join(part), room) for part in parts]


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    end = text.rpartition(".")[2]
    return f"{text[: max(0, room - len(end) - 1)]}\N{HORIZONTAL ELLIPSIS}{end}"


def _row(cell: CellStatus) -> list[Text]:
    """One text per column."""
    beat = cell.beat
    rate = f"{beat.steps_per_s:.3g}" if beat and beat.steps_per_s else ""
    left = duration(cell.left_s) if cell.left_s is not None else ""
    age = f"{duration(cell.age_s)} ago" if cell.age_s is not None else ""
    state = Text(cell.state, style=_STYLES[cell.state])
    return [literal(cell.cell_id), state, literal(_where(cell)), _what(cell), Text(rate), Text(left), Text(age)]


def _where(cell: CellStatus) -> str:
    node = cell.beat.node if cell.beat else ""
    return f"{node} job {cell.job}".strip() if cell.job else node


def _what(cell: CellStatus) -> Text:
    if cell.state != "running" or cell.beat is None:
        return literal((cell.reason or "").split("\n")[0][:_REASON])
    beat = cell.beat
    progress = beat.phase if beat.phase != "training" or not beat.total else f"training {beat.step:,} of {beat.total:,}"
    if cell.idle_s is not None and cell.idle_s > STUCK_S:
        return literal(f"{progress}; no progress for {duration(cell.idle_s)}", "yellow")
    return literal(progress)
