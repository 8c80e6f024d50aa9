"""Metrics, one file each. Knows nothing of where predictions came from."""
