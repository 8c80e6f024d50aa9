# One job per cell: train, evaluate, publish. The cell's folder is published whole, and metrics.json lists its files with
# their digests: a record of which any file is missing or changed is damaged, and made again (`Dag.made_again`). So
# metrics.json is the only output; with 50,000 cells, each further one takes 130 MiB of memory and 50,000 inodes.
# Inputs and outputs have no names: a name that no command uses takes 30 MiB with as many cells.
# Resumable state is kept in results/state/, because Snakemake deletes the outputs of a failed job. A changed digest reruns
# the cell; from its own state the cell decides whether to evaluate only, or to train as well.


# `exec`, because a shell in between would be killed by the SIGTERM that tells the cell to save its state, and the cell
# with it.
rule cell:
    "Train and evaluate one cell, and publish its record"
    input:
        MATRIX.begin,
        MATRIX.manifest_of,
        # Whether a cell is out of date is a matter of what its start was made from, not of when.
        ancient(MATRIX.pretraining_of),
    output:
        "results/cells/{cell}/metrics.json",
    log:
        "results/logs/{cell}.log",
    threads: 1
    resources:
        gpu=1,
        slurm_extra=QUEUE.options_of_cell,
    params:
        depends_on=MATRIX.depends_on,
    shell:
        "exec env OMP_NUM_THREADS={threads} {PYTHON:q} -m cenbench run {wildcards.cell:q} --preset {PRESET:q} --wait > {log:q} 2>&1"
