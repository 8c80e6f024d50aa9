# Datasets: prepared once, under a key that names everything their content depends on.


rule dataset:
    output:
        manifest="data/prepared/{dataset}/manifest.json",
    log:
        "results/logs/dataset.{dataset}.log",
    threads: workflow.cores
    shell:
        "{PYTHON:q} -m cenbench data prepare {wildcards.dataset:q} --preset {PRESET:q} --workers {threads} > {log:q} 2>&1"
