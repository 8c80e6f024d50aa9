# Figures: drawn from the records of their cells once every cell has been tried. Cells are shared with the tables.


localrules:
    figure,
    figure_index,


rule all_figures:
    input:
        MATRIX.begin,
        MATRIX.all_figure_files,
        f"reports/{PRESET}/figures.json",


# Tables, figures and claims.
rule everything:
    input:
        MATRIX.begin,
        MATRIX.all_files,
        MATRIX.all_figure_files,
        f"reports/{PRESET}/figures.json",
        MATRIX.claim_files(),


rule figure:
    input:
        MATRIX.begin,
        MATRIX.figure_records,
    output:
        html=report(
            f"reports/{PRESET}/{{figure}}.html",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}", "shown as": "page"},
        ),
        pdf=f"reports/{PRESET}/{{figure}}.pdf",
        png=report(
            f"reports/{PRESET}/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}", "shown as": "picture"},
        ),
        csv=f"reports/{PRESET}/{{figure}}.csv",
        json=f"reports/{PRESET}/{{figure}}.json",
    log:
        f"results/logs/{PRESET}.{{figure}}.log",
    params:
        depends_on=MATRIX.figure_depends_on,
    shell:
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --figure {wildcards.figure:q} > {log:q} 2>&1"


# Also lists the figures in reports/index.html, which needs no table.
rule figure_index:
    input:
        MATRIX.begin,
        expand(
            "reports/{preset}/{figure}.json", preset=PRESET, figure=MATRIX.every_figure
        ),
    output:
        f"reports/{PRESET}/figures.json",
    log:
        f"results/logs/{PRESET}.figures.log",
    params:
        depends_on=MATRIX.index_depends_on,
        figures=" ".join(f"--figure {name}" for name in MATRIX.every_figure),
    shell:
        "{PYTHON:q} -m cenbench report --preset {PRESET:q} --index {params.figures} > {log:q} 2>&1"


# One target per figure of the preset: `snakemake figure7`, for example.
for name_of_figure in MATRIX.every_figure:

    rule:
        name:
            name_of_figure
        input:
            MATRIX.begin,
            MATRIX.input_function(name_of_figure),
