# What the rules share: the plan (which cells, which tables), and the interpreter that runs every step.
import atexit
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)
from cenbench.errors import UserError
from cenbench.report.code import report_code
from cenbench.schedule.controller_lock import hold_working_directory
from cenbench.schedule.dag import Dag
from cenbench.schedule.slurm import Queue

PYTHON = sys.executable
# After kill -9 the same command is to go on, without `snakemake --unlock`.
HOLD = None if workflow.remote_exec else hold_working_directory(Path.cwd())

try:
    MATRIX = Dag.from_config(config, Path.cwd(), report_code())
except UserError as error:
    raise WorkflowError(str(error))

# Not called DAG: Snakemake runs rule files in its own namespace, and has a class of that name there.
PRESET = MATRIX.plan.preset

if HOLD:  # no other controller is at work here
    MATRIX.set_aside_damaged()


# A dry run ends with what it would cost. Only at its end does the workflow know that it was one.
atexit.register(MATRIX.end, workflow)

# On a cluster: which jobs a controller that died has left there.
QUEUE = Queue(Path.cwd())


wildcard_constraints:
    cell="[^/]+",
    dataset="[^/]+",
    table="table[0-9]+",


# A failed cell is shown in its tables with its reason, and Snakemake still ends non-zero.
onerror:
    shell("{PYTHON:q} -m cenbench report --preset {PRESET:q} {MATRIX.asked_tables}")
    shell(
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --index {MATRIX.asked_tables}"
    )
