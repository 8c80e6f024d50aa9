# Tables: rendered from whatever their cells' files say, once all of them were tried.


rule all_tables:
    default_target: True
    input:
        expand("reports/{preset}/{table}.json", preset=PRESET, table=DAG.tables),


rule table:
    input:
        DAG.metrics_of,
    output:
        html=f"reports/{PRESET}/{{table}}.html",
        latex=f"reports/{PRESET}/{{table}}.tex",
        csv=f"reports/{PRESET}/{{table}}.csv",
        json=f"reports/{PRESET}/{{table}}.json",
    params:
        depends_on=DAG.report_depends_on,
    log:
        f"results/logs/{PRESET}.{{table}}.log",
    shell:
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --table {wildcards.table:q} > {log:q} 2>&1"


# `snakemake table7` and so on: a name a person can type for each table of params/.
for number in DAG.tables:

    rule:
        name:
            number
        input:
            f"reports/{PRESET}/{number}.html",
