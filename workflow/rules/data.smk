# Datasets: prepared once, under a key that identifies everything their content depends on.


rule dataset:
    "Prepare one dataset: render it, or read its official files"
    input:
        MATRIX.begin,
    output:
        manifest="data/prepared/{dataset}/manifest.json",
    log:
        "results/logs/dataset.{dataset}.log",
    # All cores of this machine; on a cluster, where their number is not known, the profile sets it.
    threads: workflow.resource_settings.cores or 1
    shell:
        "{PYTHON:q} -m cenbench data prepare {wildcards.dataset:q} --preset {PRESET:q} --workers {threads} > {log:q} 2>&1"
