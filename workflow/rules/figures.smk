# Figures: drawn from the records of their cells once every cell has been tried. Cells are shared with the tables. The
# command that draws a figure also lists it in reports/index.html, which needs no table.


localrules:
    figure,


rule all_figures:
    "Every figure of the preset"
    input:
        MATRIX.begin,
        MATRIX.all_figure_files,


rule everything:
    "Every table, every figure and the claims"
    input:
        MATRIX.begin,
        MATRIX.all_files,
        MATRIX.all_figure_files,
        MATRIX.claim_files(),


rule figure:
    "Draw one figure from the records of its cells"
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


# One target per figure of the preset: `snakemake figure7`, for example.
for name_of_figure in MATRIX.every_figure:

    rule:
        name:
            name_of_figure
        input:
            MATRIX.begin,
            MATRIX.input_function(name_of_figure),

    workflow.get_rule(name_of_figure).docstring = MATRIX.title_of(name_of_figure)
