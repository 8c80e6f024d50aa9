"""Readers of the published datasets, a file each, behind the interface of `adapter.py`."""
