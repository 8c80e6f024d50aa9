"""Evaluate a trained cell once more, with corrupted and absent inputs."""

from __future__ import annotations

import logging

from cenbench.data.verified import open_whole
from cenbench.errors import CellSkipped
from cenbench.evaluate.robustness import measure_conditions
from cenbench.evaluate.task import evaluation_of
from cenbench.matrix.cell import Cell
from cenbench.matrix.condition import Condition
from cenbench.matrix.robustness import RobustnessSpec
from cenbench.matrix.specs import dataset_key
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.records.robustness import read_robustness, write_robustness, write_robustness_skipped
from cenbench.run.finished import finished_weights
from cenbench.run.log import log_to_stderr
from cenbench.train.device import choose_device
from cenbench.train.setup import Setup
from cenbench.train.task import training_of
from cenbench.train.train_cell import load_network

log = logging.getLogger("cenbench")


def evaluate_robustness(cell: Cell, paths: Paths, spec: RobustnessSpec, device_name: str = "auto") -> None:
    """Measure the cell's finished weights under every condition, unless that was done. Trains nothing.

    Raises `UserError` where there are no such weights.
    """
    log_to_stderr()
    record, conditions = read_record(paths, cell), spec.conditions(cell)
    if read_robustness(paths, record, conditions).state in ("ok", "skipped"):
        log.info("%s is up to date", paths.robustness(cell))
        return
    if record.state == "skipped":
        write_robustness_skipped(cell, paths, conditions, record.reason or "the cell is skipped")
        return
    device = choose_device(device_name)
    prepared = open_whole(paths.data / dataset_key(cell.dataset), paths.verified)
    trained = finished_weights(cell, paths, prepared)
    setup = Setup(cell, prepared, device, paths)
    network = load_network(training_of(cell), setup, trained)

    def report(condition: Condition) -> None:
        log.info("evaluating: %s", condition.key)

    try:
        scores = measure_conditions(setup, evaluation_of(cell), network, conditions, report)
    except CellSkipped as skipped:
        write_robustness_skipped(cell, paths, conditions, str(skipped))
        return
    prepared.check_untouched()
    write_robustness(cell, paths, trained.weights_sha256, conditions, scores)
    log.info("wrote %s", paths.robustness(cell))
