"""Readers of the published datasets, one file each, behind the interface in `adapter.py`."""
