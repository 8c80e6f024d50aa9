"""The status of a plan's cells in a terminal: one line per cell, the totals, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from cenbench.matrix.cost_lines import duration
from cenbench.matrix.plan import Plan
from cenbench.report.terminal import literal
from cenbench.schedule.status import STATES, Activity, CellStatus, all_ended, counts

_COLUMNS = ("cell", "state", "where", "what", "steps/s", "left", "heartbeat")
_ALWAYS = ("cell", "state")
_NUMBERS = ("steps/s", "left", "heartbeat")
_REASON = 100
"""Characters shown of a reason; the cell's page and the JSON have all of it."""
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


def render_status(plan: Plan, cells: Sequence[CellStatus], left: str, height: int | None = None) -> RenderableType:
    """Cells that run or need attention come first. `left` states the remaining work; `height` limits the lines."""
    ordered = sorted(cells, key=lambda cell: STATES.index(cell.state))
    shown = ordered if height is None else ordered[: max(3, height - 8)]
    parts: list[RenderableType] = [_table(shown, fold=height is None)]
    if len(shown) < len(cells):
        more = _counted(ordered[len(shown) :])
        parts.append(literal(f"and {len(cells) - len(shown)} more ({more}); all of them: cenbench status", "dim"))
    total = f"{len(cells)} cells of preset {plan.preset}: {_counted(cells)}. {left}".rstrip()
    last = f"next: {next_command(plan, cells)}" if height is None or all_ended(cells) else "Ctrl-C leaves"
    return Group(*parts, Text(), literal(total), literal(last))


def next_command(plan: Plan, cells: Sequence[CellStatus]) -> str:
    """The command to type now."""
    found, preset = counts(cells), plan.preset
    again = f"snakemake all_tables --config preset={preset}   (on a cluster: with --profile slurm)"
    if found["stopped"]:
        stopped = next(cell for cell in cells if cell.state == "stopped")
        return (stopped.reason or "").partition(": ")[2]
    if found["failed"]:
        failed = next(cell for cell in cells if cell.state == "failed")
        return f"tail {failed.log}; then {again}" if failed.log else again
    if found["lost"] or found["missing"] or found["stale"] or found["damaged"]:
        return again if not found["running"] and not found["queued"] else f"cenbench status --preset {preset} --watch"
    if found["running"] or found["queued"]:
        return f"cenbench status --preset {preset} --watch"
    return f"cenbench show {plan.tables[0].name} --preset {preset}"


def _counted(cells: Sequence[CellStatus]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts(cells).items() if number)


def _table(cells: Sequence[CellStatus], *, fold: bool) -> Table:
    """One line per cell; with `fold`, long ids wrap instead of being cut. Empty columns are left out."""
    rows = [_row(cell) for cell in cells]
    table = Table(box=None, pad_edge=False, expand=not fold)
    kept = [number for number, name in enumerate(_COLUMNS) if name in _ALWAYS or any(row[number] for row in rows)]
    for name in (_COLUMNS[number] for number in kept):
        if name == "cell":  # on one line, the id gets the width that the other columns leave
            table.add_column(name, overflow="fold" if fold else "ellipsis", no_wrap=not fold, ratio=None if fold else 1)
        else:
            justify: JustifyMethod = "right" if name in _NUMBERS else "left"
            table.add_column(name, justify=justify, overflow="fold", no_wrap=not fold or name != "what")
    for row in rows:
        table.add_row(*(row[number] for number in kept))
    return table


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
