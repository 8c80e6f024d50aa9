# One job a cell: train, evaluate, publish. Resumable state lies in results/state/, outside these outputs, because
# Snakemake deletes the outputs of a failed job. A changed digest runs the cell again; what of it (evaluation only, or
# training too) the cell decides from its own state.


# `exec`: a shell in between would die of the SIGTERM that tells the cell to save its state, and take the cell with it.
rule cell:
    input:
        manifest=MATRIX.manifest_of,
    output:
        metrics="results/cells/{cell}/metrics.json",
        history="results/cells/{cell}/history.csv",
        provenance="results/cells/{cell}/provenance.json",
        samples=directory("results/cells/{cell}/samples"),
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
