"""Datasets: reading published formats, rendering the embedded rooms, prepared arrays with a manifest, and batches."""
