"""Number of optimiser steps of a cell: one rule for the plan's estimate and the training loop."""

from __future__ import annotations

from cenbench.matrix.cell import Cell


def steps_per_epoch(cell: Cell) -> int:
    """floor(training scenes / batch): the last, incomplete batch of an epoch is dropped.

    132 for NYUDv2, as in the released code (paper.md#segmentation).

    The same for both task kinds: every step keeps the same shape, and scenes left over in one epoch are drawn in
    another, since each epoch is shuffled again. Translation at the paper's batch size of one drops nothing.
    """
    return cell.dataset.split_sizes[cell.protocol.train_split] // cell.protocol.batch_size


def total_steps(cell: Cell) -> int:
    """Optimiser steps from the first to the last epoch (39,600 for segmentation at the paper's size)."""
    return cell.protocol.total_epochs * steps_per_epoch(cell)
