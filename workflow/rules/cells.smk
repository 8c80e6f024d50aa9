# One job per cell: train, evaluate, publish. Resumable state is kept in results/state/, not among these outputs, because
# Snakemake deletes the outputs of a failed job. A changed digest reruns the cell; from its own state the cell decides
# whether to evaluate only, or to train as well.


# `exec`, because a shell in between would be killed by the SIGTERM that tells the cell to save its state, and the cell
# with it.
rule cell:
    input:
        MATRIX.begin,
        manifest=MATRIX.manifest_of,
    output:
        metrics="results/cells/{cell}/metrics.json",
        history="results/cells/{cell}/history.csv",
        per_image="results/cells/{cell}/per_image.safetensors",
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
