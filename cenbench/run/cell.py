"""Run one cell: take its lock, train (or resume, or find it trained), evaluate, publish. Safe to kill and rerun.

Reads from the top: `run_cell`, `bring_to_record`, `_train_and_publish`, `_train_and_measure`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

from cenbench.data.verified import open_whole
from cenbench.errors import CellFailed, CellSkipped, Stopped, TakenOver, UserError, out_of_memory
from cenbench.evaluate.measured import Measured
from cenbench.evaluate.norm_statistics import other_scores
from cenbench.evaluate.task import evaluation_of
from cenbench.matrix.cell import Cell
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.pretrained.used import own_labels, pretrained_digest, training_identity, used_files, with_gone_files
from cenbench.records.digests import Digests, current_digests
from cenbench.records.failure import clear_failure, read_failure, write_failure
from cenbench.records.read import read_record
from cenbench.records.write import write_finished, write_skipped
from cenbench.run import provenance
from cenbench.run.heartbeat import BEAT_S, Heartbeat
from cenbench.run.lock import CellLock, cell_lock
from cenbench.run.log import log_to_file, log_to_stderr
from cenbench.train.device import choose_device
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from cenbench.train.train_cell import load_network, train_cell
from cenbench.train.trained import Trained, why_not_measured

log = logging.getLogger("cenbench")


def run_cell(
    cell: Cell, paths: Paths, device_name: str = "auto", *, wait: bool = False, beat_s: float = BEAT_S
) -> None:
    """Train, evaluate and publish the cell, as far as that is not done yet.

    If only the evaluation changed, the finished weights are evaluated again. A cell that cannot run here is published
    as skipped. If another process is running the cell, `wait` waits for it to finish.

    Raises `UserError` (`CellFailed` if training itself ended without a result). The reason is kept in the state folder
    and shown in tables until a later run succeeds. `TakenOver`, with nothing written, if another process took the cell
    over while this one was stopped; with `wait`, only if that process then publishes nothing.
    """
    log_to_stderr()
    choose_device(device_name)  # before anything is written: a mistake in the command is no failure of the cell
    folder = paths.state(cell)
    try:
        with ExitStack() as stack:
            lock = stack.enter_context(cell_lock(folder, wait=wait, beat_s=beat_s))
            heartbeat = stack.enter_context(Heartbeat(folder, cell.id, beat_s=beat_s, is_held=lock.is_held))
            stack.enter_context(log_to_file(paths.run_log(cell), lock.is_held))
            log.info("cell %s", cell.id)
            bring_to_record(cell, paths, device_name, heartbeat, lock)
    except TakenOver as taken:
        if not wait:
            raise
        log.warning("%s", taken)
        _await_the_other(cell, paths, taken, beat_s)


def _await_the_other(cell: Cell, paths: Paths, taken: TakenOver, beat_s: float) -> None:
    """Return once the run that took the cell over has published it, since Snakemake deletes the outputs of a job that
    fails. Raises `taken` if it ended without a record.
    """
    with cell_lock(paths.state(cell), wait=True, beat_s=beat_s):
        record = read_record(paths, cell)
    if record.state not in ("ok", "skipped"):
        raise taken
    log.info("the other process has published the cell")


def bring_to_record(cell: Cell, paths: Paths, device_name: str, heartbeat: Heartbeat, lock: CellLock) -> None:
    """`run_cell` for a caller that already holds the cell's lock and heartbeat."""
    if isinstance(before := read_failure(paths, cell), str):
        log.info("retrying; the last run failed: %s", before)
    try:
        _train_and_publish(cell, paths, device_name, heartbeat, lock)
        lock.check()
    except TakenOver:
        raise
    except Stopped as stopped:
        log.warning("%s", stopped)  # not a failure: the next run resumes
        raise
    except UserError as error:
        lock.check()  # whatever went wrong after a takeover is no failure of the cell
        write_failure(paths, cell, str(error))
        raise
    except Exception as error:
        lock.check()
        if out_of_memory(error):  # outside of a training step, for which the loop reports it
            failed = _ran_out_of_memory(error)
            write_failure(paths, cell, str(failed))
            raise failed from error
        # A bug is a failure of the cell too: it must not look as if it had not run.
        write_failure(paths, cell, f"{type(error).__name__}: {error}; see the log")
        raise
    clear_failure(paths, cell)


def _ran_out_of_memory(error: Exception) -> CellFailed:
    return CellFailed(
        "out of memory",
        found=str(error).partition("\n")[0] or None,
        fix="a smaller batch_size or crop_px, fewer cells at once, or a machine with more memory",
    )


def _train_and_publish(cell: Cell, paths: Paths, device_name: str, heartbeat: Heartbeat, lock: CellLock) -> None:
    device = choose_device(device_name)
    prepared = open_whole(paths.data / dataset_key(cell.dataset), paths.verified)
    _pretrain(cell, paths, device_name)
    digests = current_digests(cell, paths.data, pretrained_digest(cell, paths))
    started, start = provenance.now(), time.perf_counter()
    facts = provenance.environment(device, paths.root) | {"started": started}
    try:
        setup = Setup(cell, prepared, device, paths)
        measured, trained, facts_of_training = _train_and_measure(setup, digests, heartbeat, lock)
    except CellSkipped as skipped:
        log.warning("skipped: %s", skipped)
        write_skipped(cell, paths, digests, str(skipped), facts, lock.check)
        return
    heartbeat.phase("publishing")
    facts |= {"finished": provenance.now(), "wall_s": time.perf_counter() - start, **facts_of_training}
    history, gammas, sha256 = trained.history, trained.gammas, trained.weights_sha256
    write_finished(cell, paths, digests, measured, history, facts, sha256, lock.check, gammas=gammas)
    log.info("published %s", paths.cell(cell))


def _pretrain(cell: Cell, paths: Paths, device_name: str) -> None:
    """Run the cell that this one starts from, unless it is finished and its weights are whole.

    Snakemake has run it before. Raises `CellFailed` if it ends without a result.
    """
    first = cell.pretraining
    if first is None:
        return
    record = read_record(paths, first)
    if record.state == "ok" and why_not_measured(paths.state(first), first.training_id, record.weights_sha256) is None:
        return
    log.info("first the network that this cell starts from: %s", first.id)
    try:
        run_cell(first, paths, device_name, wait=True)
    except (Stopped, TakenOver):
        raise
    except UserError as error:
        raise CellFailed(
            "the pretraining that this cell starts from failed",
            where=paths.state(first),
            found=error.problem,
            fix=f"see its log; then rerun, or run it alone: cenbench run '{first.id}' --preset PRESET",
        ) from error


def _train_and_measure(
    setup: Setup, digests: Digests, heartbeat: Heartbeat, lock: CellLock
) -> tuple[Measured, Trained, Mapping[str, Any]]:
    """What is measured, the training that was measured, and what provenance records of it."""
    cell, paths = setup.cell, setup.paths
    training, evaluation = training_of(cell), evaluation_of(cell)
    evaluation.check_installed(cell, paths.weights)
    used = used_files(cell, paths)
    data, pretraining_code = setup.prepared.digest, digests.pretraining
    identity = training_identity(cell, digests.training_code, data, used, pretraining_code)
    start = time.perf_counter()
    trained = train_cell(training, setup, identity, evaluation.score(setup), heartbeat.training, lock.check)
    facts = {"train_s": time.perf_counter() - start, "trained_steps": heartbeat.trained_steps, **_facts_of(trained)}
    heartbeat.phase("evaluating")
    if used := with_gone_files(used, cell, trained.identity, paths):
        facts["pretrained"] = {file.file: {"sha256": file.sha256, "own": file.own or "no"} for file in used}
    if cell.pretraining is not None:
        facts["pretraining"] = cell.pretraining.training_id
    network = load_network(training, setup, trained)
    others = other_scores(setup, network, evaluation.measure)
    measured = replace(evaluation.measure(setup, network), other_norm_statistics=others)
    setup.prepared.check_untouched()  # what was measured was of the dataset that was checked
    labels = own_labels(used, {metric for values in measured.metrics.values() for metric in values})
    return replace(measured, stand_in={**measured.stand_in, **labels}), trained, facts


def _facts_of(trained: Trained) -> dict[str, Any]:
    """What provenance records of the weights, whichever run made them."""
    facts: dict[str, Any] = {"steps": trained.steps}
    if trained.selected:
        facts["selected"] = trained.selected
    if trained.imported:
        log.info("weights imported from %s: nothing is trained", trained.imported)
        facts["imported"] = asdict(trained.imported)
    return facts
