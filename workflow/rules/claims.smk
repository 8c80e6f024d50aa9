# Claims: judged from the records of their cells once every cell has been tried. Corollary 1 is checked on single cells.


localrules:
    claims,


rule cell_corollary:
    "Check corollary 1 on the weights of one trained cell"
    input:
        MATRIX.begin,
        metrics="results/cells/{cell}/metrics.json",
    output:
        result="results/corollary/{cell}.json",
    log:
        "results/logs/{cell}.corollary.log",
    threads: 1
    resources:
        gpu=1,
        slurm_extra=QUEUE.options_of_cell,
    params:
        depends_on=MATRIX.corollary_depends_on,
    shell:
        "exec env OMP_NUM_THREADS={threads} {PYTHON:q} -m cenbench corollary {wildcards.cell:q} --preset {PRESET:q} --write > {log:q} 2>&1"


rule claims:
    "Judge the claims of the paper from the cells they need: reports/PRESET/claims.html"
    input:
        MATRIX.begin,
        MATRIX.claim_records,
    output:
        html=report(
            f"reports/{PRESET}/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"claims": "all", "shown as": "page"},
        ),
        latex=f"reports/{PRESET}/claims.tex",
        json=f"reports/{PRESET}/claims.json",
        metrics=directory(f"reports/{PRESET}/claims-metrics"),
    log:
        f"results/logs/{PRESET}.claims.log",
    params:
        depends_on=MATRIX.claims_depend_on,
    shell:
        "{PYTHON:q} -m cenbench claims --preset {PRESET:q} --write > {log:q} 2>&1"
