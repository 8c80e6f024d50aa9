# Robustness: trained cells are evaluated once more, with corrupted and absent inputs (params/robustness.yaml).


localrules:
    robustness,


rule cell_robustness:
    "Evaluate one trained cell with corrupted and absent inputs"
    input:
        MATRIX.begin,
        metrics="results/cells/{cell}/metrics.json",
    output:
        scores="results/robustness/{cell}.json",
    log:
        "results/logs/{cell}.robustness.log",
    threads: 1
    resources:
        gpu=1,
        slurm_extra=QUEUE.options_of_cell,
    params:
        depends_on=MATRIX.robustness_depends_on,
    shell:
        "exec env OMP_NUM_THREADS={threads} {PYTHON:q} -m cenbench evaluate {wildcards.cell:q} --preset {PRESET:q} > {log:q} 2>&1"


rule robustness:
    "Trained cells evaluated again with corrupted and absent inputs: reports/PRESET/robustness.html"
    input:
        MATRIX.begin,
        MATRIX.robustness_files,
    output:
        html=report(
            f"reports/{PRESET}/robustness.html",
            caption="../report/robustness.rst",
            category="Robustness",
            labels={"robustness": "all", "shown as": "page"},
        ),
        latex=f"reports/{PRESET}/robustness.tex",
        csv=f"reports/{PRESET}/robustness.csv",
        json=f"reports/{PRESET}/robustness.json",
    log:
        f"results/logs/{PRESET}.robustness.log",
    params:
        depends_on=MATRIX.robustness_page_depends_on,
    shell:
        "{PYTHON:q} -m cenbench robustness --preset {PRESET:q} --write > {log:q} 2>&1"
