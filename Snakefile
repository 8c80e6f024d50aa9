# The table of contents. What is compared is declared in params/, where it runs in profiles/, what each step does is
# `cenbench --help`; the rules only put the steps in order.
#
#   snakemake all_tables                           the demo preset, on this machine
#   snakemake all_tables --config preset=study     another preset of params/presets/
#   snakemake all_tables --config tables=table7,table8
#   snakemake table7                               one table
#   snakemake results/cells/<cell id>/metrics.json one cell (ids: cenbench plan)
#   snakemake --profile slurm all_tables           the paper preset, on a cluster
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/tables.smk"
