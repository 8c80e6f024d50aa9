"""Metrics, one file each; they know nothing about where predictions came from."""
