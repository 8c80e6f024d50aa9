"""Run one cell: lock, train (or continue, or find it done), evaluate, publish. Safe to kill and repeat at any point."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cenbench.data.verified import open_whole
from cenbench.errors import CellFailed, CellSkipped, Stopped, UserError, out_of_memory
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.task import evaluation_of
from cenbench.files import room_to_write
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.pretrained.used import own_labels, pretrained_digest, training_identity, used_files, with_gone_files
from cenbench.records.digests import Digests, current_digests
from cenbench.records.failure import clear_failure, read_failure, write_failure
from cenbench.records.write import write_finished, write_skipped
from cenbench.redact import RedactingFormatter
from cenbench.run import provenance
from cenbench.run.heartbeat import Heartbeat
from cenbench.run.lock import cell_lock
from cenbench.train.device import choose_device
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from cenbench.train.train_cell import load_network, train_cell

log = logging.getLogger("cenbench")
LOG_FORMAT = "%(asctime)s %(message)s"


def run_cell(cell: Cell, paths: Paths, device_name: str = "auto", *, wait: bool = False) -> None:
    """Bring the cell to its published record.

    A finished cell whose evaluation changed is evaluated again, not trained again. A cell that cannot run here is
    published as skipped. Where another process is at the cell, `wait` lets it finish first.

    Raises `UserError` (`CellFailed` where training itself ended without a result); the reason
    is kept in the state folder, where tables read it, until a later run succeeds.
    """
    log_to_stderr()
    folder = paths.state(cell)
    with (
        cell_lock(folder, wait=wait),
        Heartbeat(folder, cell.id) as heartbeat,
        _kept_log(paths.run_log(cell)),
    ):
        log.info("cell %s", cell.id)
        bring_to_record(cell, paths, device_name, heartbeat)


def log_to_stderr() -> None:
    """Show what the package logs, with times and without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _KeptLog(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the line is on stderr too, and a full disk is told by whatever has to be written."""


@contextmanager
def _kept_log(path: Path) -> Iterator[None]:
    """Append what is logged to `path` too: all its runs, of which Snakemake keeps the last one's log."""
    with room_to_write(path):
        handler = _KeptLog(path)
    handler.setFormatter(RedactingFormatter(LOG_FORMAT))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        with suppress(OSError):  # lines that a full disk did not take: they are on stderr too
            handler.close()


def bring_to_record(cell: Cell, paths: Paths, device_name: str, heartbeat: Heartbeat) -> None:
    """`run_cell` for a caller that holds the cell's lock, and beats."""
    if (before := read_failure(paths, cell)) is not None:
        log.info("it is tried again; it failed before: %s", before)
    try:
        _train_and_publish(cell, paths, device_name, heartbeat)
    except Stopped as stopped:
        log.warning("%s", stopped)  # not a failure: the next run continues
        raise
    except UserError as error:
        write_failure(paths, cell, str(error))
        raise
    except Exception as error:
        if out_of_memory(error):  # in the step itself the loop says at which; here it was elsewhere
            failed = _ran_out_of_memory(error)
            write_failure(paths, cell, str(failed))
            raise failed from error
        # A bug: a failed cell too, not a missing one.
        write_failure(paths, cell, f"{type(error).__name__}: {error}; see the log")
        raise
    clear_failure(paths, cell)


def _ran_out_of_memory(error: Exception) -> CellFailed:
    return CellFailed(
        "out of memory",
        found=str(error).partition("\n")[0] or None,
        fix="a smaller batch_size or crop_px, fewer cells at once, or a machine with more memory",
    )


def _train_and_publish(cell: Cell, paths: Paths, device_name: str, heartbeat: Heartbeat) -> None:
    device = choose_device(device_name)
    prepared = open_whole(paths.data / dataset_key(cell.dataset), paths.verified)
    digests = current_digests(cell, paths.data, pretrained_digest(cell, paths))
    started, start = provenance.now(), time.perf_counter()
    facts = provenance.environment(device, paths.root)
    try:
        setup = Setup(cell, prepared, device, paths)
        measured, history, times = _train_and_measure(setup, digests, heartbeat)
    except CellSkipped as skipped:
        log.warning("skipped: %s", skipped)
        write_skipped(cell, paths, digests, str(skipped), {**facts, "started": started})
        return
    heartbeat.phase("publishing")
    times |= {"started": started, "finished": provenance.now(), "wall_s": time.perf_counter() - start}
    write_finished(cell, paths, digests, measured, history, {**facts, **times})
    log.info("published %s", paths.cell(cell))


def _train_and_measure(setup: Setup, digests: Digests, heartbeat: Heartbeat) -> tuple[Measured, bytes, dict[str, Any]]:
    cell, paths = setup.cell, setup.paths
    training, evaluation = training_of(cell), evaluation_of(cell)
    evaluation.check_installed(cell, paths.weights)
    used = used_files(cell, paths)
    identity = training_identity(cell, digests.training_code, setup.prepared.digest, used)
    start = time.perf_counter()
    trained = train_cell(training, setup, identity, evaluation.score(setup), heartbeat.training)
    times: dict[str, Any] = {"train_s": time.perf_counter() - start, "steps": trained.steps}
    times["trained_steps"] = heartbeat.trained_steps  # fewer where an earlier run had begun
    heartbeat.phase("evaluating")
    if trained.selected:
        times["selected"] = trained.selected
    if trained.imported:
        log.info("weights imported from %s: nothing is trained", trained.imported)
        times["imported"] = asdict(trained.imported)
    if used := with_gone_files(used, cell, trained.identity, paths):
        times["pretrained"] = {each.file: {"sha256": each.sha256, "own": each.own or "no"} for each in used}
    measured = evaluation.measure(setup, load_network(training, setup, trained))
    labels = own_labels(used, {metric for values in measured.metrics.values() for metric in values})
    return replace(measured, stand_in={**measured.stand_in, **labels}), trained.history, times
