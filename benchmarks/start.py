"""Starting a cell: an ordinary process against a fork of the warm interpreter (`cenbench/warm_interpreter.py`).

    python benchmarks/start.py [--repeats 7]

Both run `cenbench run` with an id that does not exist, which ends once everything is imported and the plan is read. CPU
seconds include the process that waits for the fork; the two are interleaved. The interpreter's own start, once per run,
is not included.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

from cenbench import warm_interpreter
from cenbench.warm_start import SOCKET

COMMAND = (sys.executable, "-m", "cenbench", "run", "no-such-cell")
NOT_FOUND = 2


def main(repeats: int) -> None:
    os.chdir(Path(__file__).parents[1])
    environment = {**os.environ, **warm_interpreter.JOB}
    ordinary = dict(environment)
    interpreter = warm_interpreter.start(2, environment)
    if interpreter is None or interpreter.stdin is None:
        print("no warm interpreter on this system")
        return
    server = psutil.Process(interpreter.pid)
    _times(environment, server)  # waits until it is ready
    measured = [(_times(ordinary, server), _times(environment, server)) for _ in range(repeats)]
    interpreter.stdin.close()
    interpreter.wait()
    print(f"{'median of ' + str(repeats):>14}  ordinary  forked  ratio")
    for place, name in enumerate(("CPU, s", "wall, s")):
        first = statistics.median(times[0][place] for times in measured)
        second = statistics.median(times[1][place] for times in measured)
        print(f"{name:>14}  {first:8.2f}  {second:6.2f}  {first / second:5.1f}")


def _times(environment: dict[str, str], server: psutil.Process) -> tuple[float, float]:
    """CPU and wall seconds of one start. Stops if it was not started as `environment` asks."""
    cpu, forks, start = _cpu_s(server), server.cpu_times().children_user, time.perf_counter()
    ended = subprocess.run(COMMAND, env=environment, stderr=subprocess.DEVNULL, check=False)
    wall_s = time.perf_counter() - start
    if ended.returncode != NOT_FOUND or (server.cpu_times().children_user > forks) != (SOCKET in environment):
        sys.exit("a process was not started as it should be")
    return _cpu_s(server) - cpu, wall_s


def _cpu_s(server: psutil.Process) -> float:
    """CPU seconds of this process's ended children, and of the interpreter's."""
    own, forks = resource.getrusage(resource.RUSAGE_CHILDREN), server.cpu_times()
    return own.ru_utime + own.ru_stime + forks.children_user + forks.children_system


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    main(parser.parse_args().repeats)
