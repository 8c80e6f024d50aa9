# Tables: rendered from the records of their cells once every cell has been tried.


# These take seconds on one core, so they run where Snakemake runs, even if cells run on a cluster.
localrules:
    index,
    table,


# Every file is requested by name, so that a deleted one is made again. The targets that are not asked for hold no list of
# them: these inputs are functions.
rule all_tables:
    "The default: every table of the preset, or those of --config tables=7,8, and their index"
    default_target: True
    input:
        MATRIX.begin,
        MATRIX.all_files,


rule index:
    "List the tables in reports/index.html"
    input:
        MATRIX.begin,
        expand("reports/{preset}/{table}.json", preset=PRESET, table=MATRIX.tables),
    output:
        index="reports/index.html",
        metrics=directory(f"reports/{PRESET}/metrics"),
        plots=f"reports/{PRESET}/plots.csv",
    log:
        f"results/logs/{PRESET}.index.log",
    params:
        depends_on=MATRIX.index_depends_on,
    shell:
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --index {MATRIX.asked_tables} > {log:q} 2>&1"


rule table:
    "Render one table from the records of its cells"
    input:
        MATRIX.begin,
        MATRIX.metrics_of,
    output:
        html=report(
            f"reports/{PRESET}/{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "shown as": "page"},
        ),
        latex=f"reports/{PRESET}/{{table}}.tex",
        csv=f"reports/{PRESET}/{{table}}.csv",
        json=f"reports/{PRESET}/{{table}}.json",
    log:
        f"results/logs/{PRESET}.{{table}}.log",
    params:
        depends_on=MATRIX.report_depends_on,
    shell:
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --table {wildcards.table:q} > {log:q} 2>&1"


# One target per table of the preset: `snakemake table7`, for example.
for number in MATRIX.every_table:

    rule:
        name:
            number
        input:
            MATRIX.begin,
            MATRIX.input_function(number),

    workflow.get_rule(number).docstring = MATRIX.title_of(number)
