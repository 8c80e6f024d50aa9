# The table of contents. params/ declares what is compared, profiles/ where it runs; `cenbench --help` describes the steps,
# and the rules only put them in order.
#
#   snakemake all_tables                           the demo preset, on this machine
#   snakemake all_tables --config preset=study     another preset in params/presets/
#   snakemake all_tables --config tables=table7,table8   (or 7,8)
#   snakemake table7                               one table
#   snakemake figure7                              one figure; all_figures: every figure of the preset
#   snakemake everything                           tables, figures and claims
#   snakemake claims                               every cell that a claim needs, and the claims
#   snakemake robustness                           trained cells evaluated again, with corrupted and absent inputs
#   snakemake results/cells/<cell id>/metrics.json one cell (see cenbench plan for ids)
#   snakemake --profile slurm all_tables           the paper preset, on a cluster
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
