"""Pretrained weights: which files exist, which of them a cell uses, and adding one."""
