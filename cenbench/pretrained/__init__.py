"""Pretrained weights: which exist, which a cell uses, adding them."""
