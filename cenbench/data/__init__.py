"""Prepared datasets: the manifest, memory-mapped arrays, the renderer of the embedded rooms, and batches."""
