"""What Snakemake needs: the DAG, Slurm, status and cost. Torch-free; trains nothing."""
