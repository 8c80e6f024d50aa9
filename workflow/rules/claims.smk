# Claims: judged from the records of their cells once every cell has been tried.


localrules:
    claims,


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
