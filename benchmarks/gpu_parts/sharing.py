"""Part 4: the throughput of 1, 2, 4 and 8 U-Net cells that train on one GPU at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as multiprocessing

from cenbench.train.device import choose_device
from cenbench.train.recorded_step import PLAIN_STEPS
from gpu_parts.cases import CASES, Case, parallel_trainer
from gpu_parts.machine import drain
from gpu_parts.results import Deadline, Results

COUNTS = {"paper": (1, 2, 4, 8), "tiny": (1, 2)}
SECONDS = {"paper": 2.0, "tiny": 0.2}
START_S = {"paper": 25.0, "tiny": 60.0}
PRECISION = "bfloat16"
DAEMON_START_S = 1.0
WITHOUT_MPS, WITH_MPS = "processes", "processes under MPS"


def run_sharing(results: Results, device: torch.device, size: str, deadline: Deadline) -> None:
    """Without MPS, then with it where its daemon can be started."""
    case = next(case for case in CASES[size] if case.is_translation)
    throughput(results, WITHOUT_MPS, case, device, size, deadline)
    if device.type != "cuda":
        return results.skipped(WITH_MPS, "needs a CUDA device")
    if shutil.which("nvidia-cuda-mps-control") is None:
        return results.skipped(WITH_MPS, "nvidia-cuda-mps-control is not installed")
    if deadline.passed(needed_s=10.0):
        return results.skipped(WITH_MPS, "no time left")
    try:
        with mps_daemon():
            throughput(results, WITH_MPS, case, device, size, deadline)
    except (OSError, subprocess.SubprocessError) as error:
        results.failed(WITH_MPS, error)


def throughput(results: Results, way: str, case: Case, device: torch.device, size: str, deadline: Deadline) -> None:
    """Start all processes once; in each round, the first `count` of them train and the others wait."""
    counts, seconds = COUNTS[size], SECONDS[size]
    context = multiprocessing.get_context("spawn")
    workers = [_Worker(context, case, device.type) for _ in range(max(counts))]
    try:
        start = deadline.at_most(START_S[size])
        for worker in workers:
            worker.receive(start)
        alone: float | None = None
        for count in counts:
            if deadline.passed(needed_s=2 * seconds):
                results.skipped(f"{way}; {count} cells", "no time left")
                continue
            for worker in workers[:count]:
                worker.connection.send(seconds)
            rates = [worker.receive(deadline) for worker in workers[:count]]
            alone = alone or rates[0]
            words = f"{sum(rates):.1f} steps per second in all, {sum(rates) / alone:.2f} times one cell"
            values = {"case": case.name, "cells": count, "way": way, "rates": rates, "ratio": sum(rates) / alone}
            results.ok(f"{way}; {count} cells", words, **values)
    except (TimeoutError, EOFError, OSError) as error:
        results.failed(way, error)
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that trains a cell whenever it is sent a number of seconds, and answers with steps per second."""

    def __init__(self, context: BaseContext, case: Case, device: str) -> None:
        self.connection, theirs = context.Pipe()
        self._process: Any = context.Process(target=_train_when_asked, args=(theirs, case, device), daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        theirs.close()

    def receive(self, deadline: Deadline) -> float:
        """The next answer; TimeoutError at the deadline, EOFError if the process has died."""
        if not self.connection.poll(max(0.0, deadline.left_s)):
            raise TimeoutError("a process did not answer in time")
        return float(self.connection.recv())

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _train_when_asked(connection: Any, case: Case, device_name: str) -> None:
    device = choose_device(device_name)
    torch.set_num_threads(1)
    trainer = parallel_trainer(case, PRECISION if device.type == "cuda" else "float32", device)
    for step in range(PLAIN_STEPS + 2):
        trainer.step(step)
    drain(device)
    connection.send(0.0)
    while True:
        end, steps, start = connection.recv(), 0, time.perf_counter()
        while steps == 0 or time.perf_counter() - start < end:
            trainer.step(steps)
            steps += 1
            if steps % 10 == 0:
                drain(device)  # so that the queue does not run ahead of the clock
        drain(device)
        connection.send(steps / (time.perf_counter() - start))


@contextmanager
def mps_daemon() -> Iterator[None]:
    """NVIDIA's multi-process service in a folder of its own: processes started in the block share one context.

    It is a daemon of this user, not a setting of the device, and ends with the block.
    """
    names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / name).mkdir()
            os.environ[name] = str(Path(folder) / name)
        # In the foreground, so that it belongs to this part's process group and ends with it.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        daemon = subprocess.Popen(["nvidia-cuda-mps-control", "-f"], **quiet)
        try:
            time.sleep(DAEMON_START_S)
            if daemon.poll() is not None:
                raise OSError(f"nvidia-cuda-mps-control ended with status {daemon.returncode}")
            yield
        finally:
            if daemon.poll() is None:
                subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", check=False, timeout=10, **quiet)
                daemon.terminate()
            daemon.wait(10)
            for name in names:
                os.environ.pop(name, None)
