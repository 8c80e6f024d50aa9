"""Objectives, optimisers, the loop and its resumable state. Knows nothing of tables or of Snakemake."""
