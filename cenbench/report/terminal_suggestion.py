"""What `cenbench suggest-lambda` prints: the shares that were found, and the proposal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from cenbench.report.terminal import literal


def render_suggestion(thetas: Sequence[float], trials: Sequence[tuple[float, Sequence[float], str | None]]) -> Table:
    """A row per lambda, a column per theta: the share of channels in percent, or why a training failed."""
    table = Table(title=literal("Channels under theta, in percent"))
    table.add_column(literal("lambda"), justify="right")
    for theta in thetas:
        table.add_column(literal(f"theta {theta:g}"), justify="right")
    for lambda_l1, shares, failed in trials:
        cells = [f"{100 * share:.1f}" for share in shares] or [failed or "failed", *[""] * (len(thetas) - 1)]
        table.add_row(literal(f"{lambda_l1:g}"), *map(literal, cells))
    return table


def suggestion_notes(steps: int, total: int, *, close: bool) -> list[str]:
    """What to keep in mind about a proposal, after `steps` of the cell's `total` steps."""
    notes = []
    if not close:
        notes.append("No setting that was tried is within 5 points of the wanted share; this is the nearest.")
    if steps < total:
        notes.append(
            f"After {steps} of the cell's {total} steps: the share is not final, because the l1 term acts on. A longer "
            "short training (--steps) is better evidence."
        )
    notes.append("The trainings used the cell's own theta; under another one, other channels are exchanged meanwhile.")
    return notes
