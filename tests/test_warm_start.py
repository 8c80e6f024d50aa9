"""Cells of a local run are forks of one interpreter: like processes of their own, and where that is in doubt, such.

Most tests use a package of this name that holds the real modules of the start, imports no torch, and whose command
`run` executes Python code.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from checkout import DETERMINISTIC, REPOSITORY, Checkout

from cenbench import warm_interpreter, warm_start
from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.schedule import dag

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a warm interpreter")
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
for name in ("SIGHUP", "SIGQUIT"):  # as are these, there or under nohup
    signal.signal(getattr(signal, name), signal.SIG_DFL)

WHO = "import os; print(os.getppid(), flush=True)\n"
LONG = f"{WHO}import time; time.sleep(600)"
STATE = "results/state/*"
SIGNALS = [getattr(signal, name) for name in warm_start.PASSED_ON]


@dataclass
class Run:
    """A run with a warm interpreter, and the environment of its jobs."""

    root: Path
    interpreter: subprocess.Popen[bytes]
    environment: dict[str, str]

    def start(self, code: str, *options: str, command: str = "run", **how: Any) -> subprocess.Popen[str]:
        """Start a job that executes this code."""
        how = {"cwd": self.root, "env": self.environment, **how}
        words = [sys.executable, *options, "-m", "cenbench", command, code]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)

    def is_warm(self, *options: str, **how: Any) -> bool:
        """Whether a job is started by the interpreter. Fails if it is started twice, or not at all."""
        job = self.start(WHO, *options, **how)
        output, error = job.communicate(timeout=60)
        assert job.returncode == 0, error
        parent = int(output)
        assert parent in (self.interpreter.pid, os.getpid())
        return parent == self.interpreter.pid

    def ordinary(self) -> dict[str, str]:
        return {name: value for name, value in self.environment.items() if name != warm_start.SOCKET}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A checkout with the package described above."""
    folder = tmp_path / "checkout" / "cenbench"
    (folder / "cli").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "errors.py", "warm_start.py", "warm_interpreter.py"):
        shutil.copy(REPOSITORY / "cenbench" / name, folder)
    edit(folder / "warm_interpreter.py", "in PACKAGES:", 'in ("json",):')
    (folder / "cli" / "main.py").write_text("import sys\ndef main(): exec(sys.argv[2], {})\n")
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


Start = Callable[[], Run]


@pytest.fixture
def start(package: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Start]:
    """Starts the run's interpreter."""
    monkeypatch.chdir(package.parent)
    started = []

    def run() -> Run:
        environment = {**os.environ, **warm_interpreter.JOB}
        interpreter = warm_interpreter.start(2, environment)
        assert interpreter is not None
        started.append(interpreter)
        return Run(package.parent, interpreter, environment)

    yield run
    for interpreter in started:
        interpreter.kill()
        interpreter.wait()
        interpreter.stdin.close()


@pytest.fixture
def warm(start: Start) -> Run:
    return start()


STARTED_WITH = """
import gc, json, os, signal, sys, tempfile
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv, "orig": sys.orig_argv, "folder": os.getcwd(), "environment": dict(os.environ), "path": sys.path,
    "signals": {int(n): str(signal.getsignal(n)) for n in signal.valid_signals()},
    "files": [f for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}")],
    "main": [main.__name__, main.__spec__.name, main.__file__],
    "modules": sorted(name for name in sys.modules if name.startswith("cenbench")),
    "collection": [gc.isenabled(), gc.get_threshold()], "temporary": tempfile.gettempdir(), "umask": os.umask(0),
    "streams": [
        [type(s.buffer).__name__, s.line_buffering, s.write_through, s.encoding, s.errors, s.fileno()]
        for s in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "threads": len(os.listdir("/proc/self/task")), "parent": os.getppid(),
    "originals": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
}))
sys.stdout.reconfigure(errors="replace")
print("last words", file=sys.stderr)
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_cell_finds_what_an_ordinary_process_finds(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    warm = start()
    own = {"TMPDIR": str(tmp_path), "SHLVL": "7"}
    found = []
    for environment in (warm.environment, warm.ordinary()):
        job = warm.start(STARTED_WITH, env={**environment, **own})
        output, error = job.communicate(timeout=60)
        assert error == "last words\n"
        found.append(json.loads(output))
    assert [each.pop("parent") for each in found] == [warm.interpreter.pid, os.getpid()]
    assert found[0] == found[1]
    assert found[0]["temporary"] == str(tmp_path)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(1)", 1),
        ("raise SystemExit(2)", 2),
        ("import os; os._exit(143)", 143),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
        ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ],
)
def test_the_process_that_asked_ends_as_the_cell_ends(warm: Run, code: str, status: int) -> None:
    job = warm.start(WHO + code)
    output, _ = job.communicate(timeout=60)
    assert int(output) == warm.interpreter.pid
    assert job.returncode == status


COUNTS = f"""
import os, signal, time
counts = dict.fromkeys({[int(number) for number in SIGNALS]}, 0)
def count(number, frame): counts[number] += 1
for number in counts: signal.signal(number, count)
print("ready", flush=True)
while not counts[{int(signal.SIGTERM)}]: time.sleep(0.01)
time.sleep(0.2)
print(list(counts.values()))
"""


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_each_signal_reaches_the_cell_once(warm: Run, send: Callable[[int, int], None]) -> None:
    """Also one for the whole process group, as of Ctrl-C."""
    job = warm.start(COUNTS, process_group=0)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    for number in sorted(SIGNALS, key=lambda number: number == signal.SIGTERM):
        send(job.pid, number)
        time.sleep(0.05)
    output, _ = job.communicate(timeout=60)
    assert output == f"{[1] * len(SIGNALS)}\n"
    assert job.returncode == 0


def test_ctrl_z_suspends_the_cell_and_fg_continues_it(warm: Run) -> None:
    job, cell = long(warm)
    for number, state in ((signal.SIGTSTP, psutil.STATUS_STOPPED), (signal.SIGCONT, psutil.STATUS_SLEEPING)):
        job.send_signal(number)
        wait_until(lambda state=state: {cell.status(), psutil.Process(job.pid).status()} == {state})
    job.kill()
    job.communicate()


def long(run: Run) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A job that does not end by itself, and the process of its cell."""
    job = run.start(LONG)
    assert job.stdout is not None
    assert int(job.stdout.readline()) == run.interpreter.pid
    [cell] = psutil.Process(run.interpreter.pid).children()
    assert os.getpgid(cell.pid) == cell.pid
    return job, cell


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_cell_whose_asker_is_killed_is_killed(warm: Run) -> None:
    job, cell = long(warm)
    job.kill()
    job.communicate()
    wait_until(lambda: not cell.is_running())
    assert warm.is_warm()


def test_a_killed_interpreter_takes_its_cells_with_it_and_further_ones_start_as_usual(warm: Run) -> None:
    """Also while the process that asked is suspended."""
    job, cell = long(warm)
    job.send_signal(signal.SIGSTOP)
    warm.interpreter.kill()
    warm.interpreter.wait()
    wait_until(lambda: not cell.is_running() or cell.status() == psutil.STATUS_ZOMBIE)
    job.send_signal(signal.SIGCONT)
    job.communicate(timeout=60)
    assert job.returncode == -signal.SIGKILL
    assert not warm.is_warm()


def test_cells_outlive_the_controller_and_the_interpreter_ends_with_them(warm: Run) -> None:
    assert warm.interpreter.stdin is not None
    job = warm.start(f"{WHO}import sys; sys.exit(7 if sys.stdin.readline() else 8)", stdin=subprocess.PIPE)
    assert job.stdout is not None
    assert int(job.stdout.readline()) == warm.interpreter.pid
    warm.interpreter.stdin.close()  # as when the controller ends, however it does
    wait_until(lambda: not warm.is_warm())
    assert warm.interpreter.poll() is None
    job.communicate("go on\n", timeout=60)
    assert job.returncode == 7
    assert warm.interpreter.wait(timeout=60) == 0
    assert warm.environment[warm_start.SOCKET] not in Path("/proc/net/unix").read_text()


def test_an_interpreter_is_not_ended_by_signals_for_the_run(warm: Run) -> None:
    assert warm.is_warm()
    for number in SIGNALS:
        warm.interpreter.send_signal(number)
    assert warm.is_warm()


def test_what_a_cell_runs_is_the_code_on_disk(warm: Run, package: Path) -> None:
    assert warm.is_warm()
    (package / "added.py").write_text("WORD = 'new'\n")
    (package / "cli" / "main.py").write_text("from cenbench.added import WORD\ndef main(): print(WORD)\n")
    assert warm.start("").communicate(timeout=60)[0] == "new\n"


@pytest.mark.parametrize(
    "how",
    [
        {"env": {"OMP_NUM_THREADS": "2"}},
        {"env": {"MKL_CBWR": "AVX2"}},
        {"env": {"PYTHONHASHSEED": "0"}},
        {"env": {"CENBENCH_NEW": ""}},
        {"umask": 0o027},
        {"preexec_fn": partial(os.nice, 1)},
        {"preexec_fn": partial(resource.setrlimit, resource.RLIMIT_NOFILE, (64, 64))},
        {"preexec_fn": partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)},
        {"preexec_fn": partial(os.sched_setaffinity, 0, {min(os.sched_getaffinity(0))})},
    ],
    ids=["threads", "math library", "hashes", "ours", "umask", "niceness", "limit", "ignored signal", "affinity"],
)
def test_a_job_in_other_surroundings_starts_as_usual(warm: Run, how: dict[str, Any]) -> None:
    if how.get("preexec_fn") and "affinity" in str(how) and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("a single CPU")
    assert warm.is_warm()
    if "env" in how:
        how = {"env": {**warm.environment, **how["env"]}}
    assert not warm.is_warm(**how)


@pytest.mark.parametrize("option", ["-Wignore", "-Xdev", "-O", "-s"])
def test_a_job_with_other_options_of_python_starts_as_usual(warm: Run, option: str) -> None:
    assert not warm.is_warm(option)


def test_another_command_starts_as_usual(warm: Run) -> None:
    assert int(warm.start(WHO, command="report").communicate(timeout=60)[0]) == os.getpid()


def test_packages_that_are_installed_meanwhile_are_used(start: Start, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(packages))
        run = start()
        assert run.is_warm()
        (packages / "installed-1.0.dist-info").mkdir()
        assert not run.is_warm()


@pytest.mark.parametrize("name", warm_start._PROTOCOL)
def test_other_code_of_the_start_is_not_mixed_with_it(warm: Run, package: Path, name: str) -> None:
    assert warm.is_warm()
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert not warm.is_warm()


def test_a_process_with_threads_is_not_forked(package: Path, start: Start) -> None:
    edit(package / "warm_interpreter.py", '("json",)', '("cenbench_threads",)')
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    (package.parent / "cenbench_threads.py").write_text(code)
    assert not start().is_warm()


def test_a_temporary_folder_that_an_import_has_looked_up_is_not_the_cells(
    package: Path, start: Start, tmp_path: Path
) -> None:
    edit(package / "warm_interpreter.py", '("json",)', '("cenbench_temporary",)')
    (package.parent / "cenbench_temporary.py").write_text("import tempfile; tempfile.gettempdir()\n")
    run = start()
    job = run.start(
        f"{WHO}import tempfile; print(tempfile.gettempdir())", env={**run.environment, "TMPDIR": str(tmp_path)}
    )
    assert job.communicate(timeout=60)[0].split() == [str(run.interpreter.pid), str(tmp_path)]


def test_an_interpreter_that_cannot_import_is_not_waited_for(package: Path, start: Start) -> None:
    edit(package / "warm_interpreter.py", '("json",)', '("no_such_package",)')
    run = start()
    assert not run.is_warm()
    assert run.interpreter.wait(timeout=60) == 1


def test_one_that_is_importing_is_waited_for(package: Path, start: Start) -> None:
    edit(package / "warm_interpreter.py", '("json",)', '("cenbench_slow",)')
    (package.parent / "cenbench_slow.py").write_text("import time; time.sleep(0.5)\n")
    assert start().is_warm()


def test_a_stopped_interpreter_is_not_waited_for_and_starts_nothing_later(package: Path, start: Start) -> None:
    edit(package / "warm_start.py", "WAIT_S = 60.0", "WAIT_S = 0.2")
    run = start()
    wait_until(run.is_warm)
    run.interpreter.send_signal(signal.SIGSTOP)
    assert not run.is_warm()
    run.interpreter.send_signal(signal.SIGCONT)
    wait_until(run.is_warm)
    assert not psutil.Process(run.interpreter.pid).children()


def test_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        assert warm_start.is_same_user(here)
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert not warm_start.is_same_user(here)


@pytest.mark.parametrize(("cells", "setting"), [(1, "on"), (2, "off")])
def test_none_is_started_for_one_cell_or_if_it_is_switched_off(cells: int, setting: str) -> None:
    environment = {**os.environ, warm_interpreter.SWITCH: setting}
    assert warm_interpreter.start(cells, environment) is None
    assert warm_start.SOCKET not in environment


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(UserError, match="unknown setting"):
        warm_interpreter.start(2, {warm_interpreter.SWITCH: "no"})


@pytest.mark.parametrize(
    ("works", "local", "gpu", "expected"),
    [(True, True, False, [2]), (False, True, False, []), (True, False, False, []), (True, True, True, [])],
)
def test_only_a_real_local_run_without_a_gpu_starts_one(
    monkeypatch: pytest.MonkeyPatch, works: bool, local: bool, gpu: bool, expected: list[int]
) -> None:
    jobs = [SimpleNamespace(rule=SimpleNamespace(name="cell"), wildcards=SimpleNamespace(cell=name)) for name in "ab"]
    graph = SimpleNamespace(needrun_jobs=lambda exclude_finished: jobs)
    started: list[int] = []
    monkeypatch.setattr(warm_interpreter, "start", started.append)
    monkeypatch.setattr(dag, "has_gpu", lambda: gpu)
    asked = SimpleNamespace(works=works)
    dag.Dag.start_warm_interpreter(asked, SimpleNamespace(dag=graph, local_exec=local))  # type: ignore[arg-type]
    assert started == expected


def test_sigterm_saves_the_state_of_a_forked_cell(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.edit("params/presets/demo.yaml", "phases: [{epochs: 3,", "phases: [{epochs: 3000,")
    cell = next(iter(load_plan(checkout.root / "params", "demo").cells))
    monkeypatch.chdir(checkout.root)
    environment = {**os.environ, **warm_interpreter.JOB}
    interpreter = warm_interpreter.start(2, environment)
    assert interpreter is not None
    assert interpreter.stdin is not None
    with interpreter.stdin:
        job = Run(checkout.root, interpreter, environment).start(cell)
        wait_until(
            lambda: any("training" in file.read_text() for file in checkout.root.glob(f"{STATE}/heartbeat.json"))
        )
        assert psutil.Process(interpreter.pid).children()
        job.terminate()
        _, error = job.communicate(timeout=60)
    assert job.returncode == 143, error
    assert "rerun the command to resume" in error
    assert [*checkout.root.glob(f"{STATE}/state.pt")]
    assert interpreter.wait(timeout=60) == 0


def test_a_run_with_it_makes_the_bytes_of_a_run_without_it(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two whole runs; each job notes the command of its parent."""
    parent = "open(f'/proc/{os.getppid()}/cmdline').read()"
    note = f"    import sys; print(sys.argv[1], {parent}, file=open('parents', 'a'))\n"
    checkout.edit("cenbench/__main__.py", "    main()\n", f"{note}    main()\n")
    ordinary = Checkout(Path(shutil.copytree(checkout.root, tmp_path / "ordinary")))
    checkout.snakemake("all_tables")
    monkeypatch.setenv(warm_interpreter.SWITCH, "off")
    ordinary.snakemake("all_tables")
    for made, warm in ((checkout, 3), (ordinary, 0)):
        lines = (made.root / "parents").read_text().splitlines()
        assert sum(line.startswith("run ") for line in lines) == 3
        assert sum("cenbench.warm_interpreter" in line for line in lines) == warm
    assert checkout.bytes_of(*DETERMINISTIC) == ordinary.bytes_of(*DETERMINISTIC)
    assert checkout.bytes_of("results/cells/*/metrics.json")


def test_where_a_sandbox_refuses_the_socket_cells_start_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(warm_interpreter.socket, "socket", refuse)
    environment: dict[str, str] = {}
    assert warm_interpreter.start(2, environment) is None
    assert environment == {}


def test_a_request_that_did_not_arrive_whole_is_no_request() -> None:
    """Without all three streams: they may be too many for a process."""
    asker, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with asker, server:
        socket.send_fds(asker, [b"{}"], [0, 1])
        assert warm_interpreter.Request.receive(server) is None
        asker.send(b"")
        assert warm_interpreter.Request.receive(server) is None


def test_a_job_without_standard_input_starts_as_usual(warm: Run) -> None:
    assert not warm.is_warm(preexec_fn=partial(os.close, 0))
