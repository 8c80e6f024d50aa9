# Shared by the rules: the plan (which cells, which tables) and the interpreter that runs every step.
import atexit
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)
from cenbench.doctor.inputs import absent_inputs
from cenbench.doctor.profile_link import profile_link_note
from cenbench.errors import UserError
from cenbench.redact import redacted
from cenbench.report.code import report_code
from cenbench.report.rendered import table_damage
from cenbench.schedule.dag import Dag
from cenbench.schedule.slurm import Queue
from cenbench.run.user_name import name_the_user

PYTHON = sys.executable
name_the_user()
if note := profile_link_note(Path.cwd()):
    print(note, file=sys.stderr)
try:
    # Not called DAG: Snakemake runs rule files in its own namespace, which has a class of that name.
    # `MATRIX.begin` is an input function of every rule: with it a real run takes hold of this folder. Before, a dry run is
    # not known to be one, so reading the rules changes nothing.
    MATRIX = Dag.from_config(
        config, Path.cwd(), report_code(), workflow, table_damage, absent_inputs
    )
except UserError as error:
    raise WorkflowError(redacted(str(error)))

PRESET = MATRIX.plan.preset

# A dry run ends with its cost. The workflow only knows at the end that it was a dry run.
atexit.register(MATRIX.end, workflow)

# On a cluster: the jobs that a killed controller left behind.
QUEUE = Queue(Path.cwd())


# What `snakemake --report report.zip` puts in front of the tables, figures and claims.
report: "../report/workflow.rst"


wildcard_constraints:
    cell="[^/]+",
    dataset="[^/]+",
    table="table[0-9a-z-]+",
    figure="figure[0-9a-z-]+",


# Before the first job of a real run: by now it is known what there is to do.
onstart:
    MATRIX.start_warm_interpreter(workflow)


# Tables and figures show a failed cell with its reason; Snakemake still exits with a non-zero status.
onerror:
    if figures := MATRIX.figures_of_this_run(workflow):
        shell("{PYTHON:q} -m cenbench report --preset {PRESET:q} {figures}")
    shell("{PYTHON:q} -m cenbench report --preset {PRESET:q} {MATRIX.asked_tables}")
    shell(
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --index {MATRIX.asked_tables}"
    )
