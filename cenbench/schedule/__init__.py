"""What Snakemake and Slurm need: the graph of jobs, their resources, each cell's status and the remaining cost."""
