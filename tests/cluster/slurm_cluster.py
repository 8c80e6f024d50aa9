"""A real Slurm on this machine, for tests: munged, slurmctld and one slurmd per node, on loopback, with fake GPUs,
which jobs can also have a quarter of each (`--gres=shard:1`).

    python tests/cluster/slurm_cluster.py        # bring it up, print how to use it, take it down at Ctrl-C

Ports, keys and state are its own, so a Slurm of this machine is not touched. Accounting is off, as on many clusters.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

NODES = ("n1", "n2")
COMMANDS = ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo", "sacct")
DAEMONS = ("munged", "slurmctld", "slurmd")
GRACE_S = 30
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=10
KillWait=15
GresTypes=gpu,shard
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=16000 Gres=gpu:1,shard:4
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=16000 Gres=gpu:1,shard:4
PartitionName=gpu Nodes=n1,n2 Default=YES PriorityTier=1 GraceTime={grace} State=UP
PartitionName=urgent Nodes=n1,n2 PriorityTier=2 PreemptMode=OFF State=UP
"""
GPUS = """
NodeName=n1 Name=gpu Count=1 File=/dev/null
NodeName=n2 Name=gpu Count=1 File=/dev/zero
NodeName=n1,n2 Name=shard Count=4
"""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def missing() -> list[str]:
    """The missing programs that a cluster needs (Debian: apt-get install slurm-wlm munge)."""
    return [name for name in (*DAEMONS, *COMMANDS) if _program(name) is None]


@dataclass(frozen=True)
class Job:
    """A job in the queue, as squeue shows it."""

    id: str
    state: str
    node: str
    memory: str
    waits_for: str
    comment: str

    def is_for(self, cell: str) -> bool:
        return self.comment == f"rule_cell_wildcards_{cell}"


class Cluster:
    """Two nodes with one GPU each. A context manager: the cluster is taken down however the block ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def bin(self) -> Path:
        """Slurm's commands for this cluster, to be first on PATH: inside a job, srun has no SLURM_CONF."""
        return self.folder / "bin"

    def __enter__(self) -> Cluster:
        try:
            self._configure()
            self._start("munged", "--foreground", "--force", *self._munge_files())
            wait_for(lambda: (self.folder / "munge.socket").exists(), 20, "munged's socket")
            self._start("slurmctld", "-D")
            for node in NODES:
                self.start_node(node)
            idle = ("sinfo", "--noheader", "--states=idle", "--format=%D")
            wait_for(lambda: self(*idle).strip() == str(len(NODES)), 60, "idle nodes")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in NODES:
            self.kill_node(node)
        for daemon in self._daemons.values():
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()
        self._daemons.clear()

    def __call__(self, *command: str) -> str:
        """The output of a Slurm command; empty if it fails, because the controller may be busy."""
        done = subprocess.run([str(self.bin / command[0]), *command[1:]], capture_output=True, text=True, timeout=60)
        return done.stdout

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kill, like a power cut, the node's daemon and every process of its jobs."""
        daemon = self._daemons.pop(f"slurmd {node}", None)
        if daemon is None:
            return
        daemon.send_signal(signal.SIGSTOP)
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(daemon.pid).children(recursive=True):
                process.kill()
        daemon.kill()
        daemon.wait()

    def jobs(self) -> list[Job]:
        """The jobs in the queue."""
        lines = self("squeue", "--noheader", "--format=%i|%T|%N|%m|%E|%k").splitlines()
        return [Job(*line.split("|", 5)) for line in lines]

    def hurry(self) -> None:
        """Release requeued jobs before the two minutes that Slurm gives their node to clean up."""
        for job in self.jobs():
            if job.state == "PENDING":
                self("scontrol", "update", f"JobId={job.id}", "StartTime=now")

    def _configure(self) -> None:
        for part in ("controller", "bin", *NODES):
            (self.folder / part).mkdir(parents=True)
        self.folder.chmod(0o755)  # munged refuses a folder that others can write to
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        facts = {"host": socket.gethostname(), "user": psutil.Process().username(), "ports": _free_ports(3)}
        (self.folder / "slurm.conf").write_text(CONFIG.format(folder=self.folder, grace=GRACE_S, **facts))
        (self.folder / "gres.conf").write_text(GPUS)
        for name in COMMANDS:
            script = self.bin / name
            script.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_program(name)} "$@"\n')
            script.chmod(0o755)

    def _munge_files(self) -> list[str]:
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        return [f"--{option}={self.folder}/munge.{suffix}" for option, suffix in files.items()]

    def _start(self, name: str, *arguments: str) -> None:
        label = " ".join((name, *arguments[2:])) if name == "slurmd" else name
        with (self.folder / f"{label.replace(' ', '.')}.log").open("ab") as log:
            self._daemons[label] = subprocess.Popen(
                [str(_program(name)), *arguments],
                env={**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who take them down in order
                preexec_fn=_die_with_us_and_keep_descendants,
            )


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return once the condition holds; TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.25)


def _die_with_us_and_keep_descendants() -> None:
    """Make daemons die with the test, and keep a node's job steps below its slurmd, so that they can be found."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def temporary_cluster() -> Iterator[Cluster]:
    """A cluster in a temporary folder. Its path is short, because a socket's path may have at most 107 characters.

    SIGTERM takes it down as Ctrl-C does.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)
    with folder as path, Cluster(Path(path)) as cluster:
        yield cluster


if __name__ == "__main__":
    with temporary_cluster() as up:
        print(up("sinfo"), f"\n  export PATH={up.bin}:$PATH\n\nCtrl-C takes it down.", sep="")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
