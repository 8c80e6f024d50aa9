"""Part 2: training steps at paper size, ours and as a list of modalities, with each setting that may speed them up."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cenbench.train.recorded_step import PLAIN_STEPS, CudaRecorder, RecordedStep
from gpu_parts.cases import CASES, AnyTrainer, Case, list_step, parallel_trainer, random_batch
from gpu_parts.counts import counted_flops, networks
from gpu_parts.machine import device_name, drain, drained_clock_s, peak_tflops
from gpu_parts.results import Deadline, Results

BLOCKS, ENOUGH_S = 5, 1.5
BLOCK_STEPS = {"cuda": 10, "cpu": 1}


@dataclass(frozen=True)
class Setting:
    """One way to take the step of a case."""

    formulation: str
    """`parallel` (ours) or `list` (as released)."""
    precision: str
    channels_last: bool = False
    compiled: bool = False
    graph: bool = False

    @property
    def name(self) -> str:
        switches = {"channels-last": self.channels_last, "compile": self.compiled, "graph": self.graph}
        return ", ".join([self.formulation, self.precision, *(name for name, on in switches.items() if on)])

    def obstacle(self, case: Case, device: torch.device) -> str | None:
        """Why this cannot be measured here."""
        if self.formulation == "list" and not case.has_list:
            return "benchmarks/list_networks.py has no such network"
        if device.type != "cuda" and (self.graph or self.compiled or self.channels_last):
            # Besides, the fused SGD of torch 2.13 for CPUs crashes on weights in this layout.
            return "needs a CUDA device"
        return None


# What decides a default or a goal comes first: a cut loses the end of the list.
SETTINGS = (
    Setting("parallel", "bfloat16"),
    Setting("list", "bfloat16"),
    Setting("parallel", "float32"),
    Setting("list", "float32"),
    Setting("parallel", "bfloat16", graph=True),
    Setting("parallel", "float32", graph=True),
    Setting("parallel", "bfloat16", channels_last=True),
    Setting("parallel", "float32", channels_last=True),
    Setting("parallel", "bfloat16", channels_last=True, graph=True),
)
COMPILED = (
    Setting("parallel", "bfloat16", compiled=True),
    Setting("parallel", "bfloat16", compiled=True, graph=True),
)


@dataclass(frozen=True)
class Times:
    """What one setting of a case took."""

    build_s: float
    """Making the networks and moving them to the device."""
    first_step_s: float
    """The first step alone: choosing algorithms, compiling."""
    step_s: float
    """Median over blocks of steps, without the first ones."""
    recorded: bool
    """Whether the steps were replays of a CUDA graph."""


def run_steps(results: Results, device: torch.device, size: str, deadline: Deadline) -> None:
    """Every case with every setting, as far as time allows."""
    floor: dict[str, int] = {}
    for setting in SETTINGS:
        for case in CASES[size]:
            measure(results, case, setting, device, deadline, floor)


def run_compiled(results: Results, device: torch.device, size: str, deadline: Deadline) -> None:
    """`torch.compile`, apart from the others: it can take minutes, and needs a C compiler where it runs."""
    cases = [case for case in CASES[size] if case.is_translation][:1] + list(CASES[size][:1])
    floor: dict[str, int] = {}
    for case in cases:
        for setting in COMPILED:
            measure(results, case, setting, device, deadline, floor)


def measure(
    results: Results, case: Case, setting: Setting, device: torch.device, deadline: Deadline, floor: dict[str, int]
) -> None:
    """One row: time per step, time to the first one, peak memory and achieved rate. An error is a result, too.

    `floor` holds the operations of each case, once our formulation has been counted.
    """
    name = f"{case.name}; {setting.name}"
    settings = {"case": case.name, **vars(setting)}
    if reason := setting.obstacle(case, device):
        return results.skipped(name, reason, **settings)
    if deadline.passed(needed_s=2.0):
        return results.skipped(name, "no time left", **settings)
    try:
        times, peak_bytes = _measured(case, setting, device, deadline, floor)
    except Exception as error:  # out of memory, no compiler, what a capture forbids: all are results
        results.failed(name, error, **settings)
    else:
        flops = floor.get(case.name)
        tflops = flops / times.step_s / 1e12 if flops else None
        peak = peak_tflops(device_name(device), setting.precision)
        values = {
            **vars(times),
            "peak_memory_bytes": peak_bytes,
            "flops": flops,
            "tflops": tflops,
            "share_of_peak": tflops / peak if tflops and peak else None,
        }
        if setting.graph and not times.recorded:
            return results.failed(name, "the step was not recorded: see the warning above", **settings, **values)
        results.ok(name, _in_words(values, peak), **settings, **values)
    finally:
        if device.type == "cuda":
            gc.collect()
            torch.compiler.reset()
            torch.cuda.empty_cache()


def _measured(
    case: Case, setting: Setting, device: torch.device, deadline: Deadline, floor: dict[str, int]
) -> tuple[Times, int | None]:
    """The times, and the peak of the memory in bytes on a GPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    start = drained_clock_s(device)
    if setting.formulation == "list":
        step: Callable[[], object] = list_step(case, setting.precision, device)
        counted, recorded = [], _never
    else:
        trainer = parallel_trainer(case, setting.precision, device)
        counted = networks(trainer)
        if setting.compiled:  # counted on the plain network: a compiled one would have the counter in it
            with counted_flops(counted) as flops:
                trainer.step(0)
            floor[case.name] = flops[0]
        step, recorded = parallel_step(trainer, case, setting, device)
    built = drained_clock_s(device)
    with counted_flops(counted if case.name not in floor else []) as flops:
        step()
    first = drained_clock_s(device)
    if flops[0]:
        floor[case.name] = flops[0]
    step_s = _step_s(step, device, deadline)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Times(built - start, first - built, step_s, recorded()), peak


def _never() -> bool:
    return False


def parallel_step(
    trainer: AnyTrainer, case: Case, setting: Setting, device: torch.device
) -> tuple[Callable[[], object], Callable[[], bool]]:
    """Our step under this setting, and whether it is being replayed."""
    if setting.channels_last:
        for network in networks(trainer):
            network.to(memory_format=torch.channels_last)
    if setting.compiled:
        compiled = torch.compile(trainer.network.outputs)
        trainer.network.outputs = compiled  # type: ignore[method-assign]
    if not hasattr(trainer, "recorded"):  # segmentation: recorded by the benchmark only
        if not setting.graph:
            return lambda: trainer.step(0), _never
        recorder = RecordedStep(CudaRecorder(device))
        x_BMCHW, y = random_batch(case, device)
        return lambda: recorder(_step_on(trainer), x_BMCHW, y), lambda: recorder.replaying
    if not setting.graph:
        trainer.recorded = None
    return lambda: trainer.step(0), lambda: trainer.recorded is not None and trainer.recorded.replaying


def _step_on(trainer: AnyTrainer) -> Callable[[Tensor, Tensor], Tensor]:
    """The trainer's step; its batch is always the same, so that the one given is not read."""
    return lambda x_BMCHW, y: trainer.step(0)


def _step_s(step: Callable[[], object], device: torch.device, deadline: Deadline) -> float:
    """Median seconds per step over blocks; the queue is drained between blocks only, as in training."""
    begun, taken, count = time.monotonic(), [], BLOCK_STEPS[device.type]
    for _ in range(PLAIN_STEPS + 1 if device.type == "cuda" else 0):
        step()
    drain(device)
    for _ in range(BLOCKS):
        start = drained_clock_s(device)
        for _ in range(count):
            step()
        taken.append((drained_clock_s(device) - start) / count)
        if device.type == "cpu" or time.monotonic() - begun > ENOUGH_S or deadline.passed():
            break
    return statistics.median(taken)


def _in_words(values: dict[str, float | None], peak: float | None) -> str:
    words = [f"{1e3 * (values['step_s'] or 0):.2f} ms per step, first step {values['first_step_s']:.1f} s"]
    if values["peak_memory_bytes"] is not None:
        words.append(f"peak memory {values['peak_memory_bytes'] / 2**30:.2f} GiB")
    if values["tflops"] is not None:
        share = f" ({100 * (values['share_of_peak'] or 0):.0f} % of {peak:.0f})" if peak else ""
        words.append(f"{values['tflops']:.3g} TFLOP/s{share}")
    return ", ".join(words)
