# Datasets: prepared once, under a key that names everything their content depends on.


rule dataset:
    output:
        manifest="data/prepared/{dataset}/manifest.json",
    log:
        "results/logs/dataset.{dataset}.log",
    # Every core here; on a cluster, where the number is not given, what the profile says.
    threads: workflow.resource_settings.cores or 1
    shell:
        "{PYTHON:q} -m cenbench data prepare {wildcards.dataset:q} --preset {PRESET:q} --workers {threads} > {log:q} 2>&1"
