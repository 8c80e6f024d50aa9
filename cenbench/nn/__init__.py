"""Modality-parallel networks: layers, exchange, encoders, decoders, generators. Knows no dataset and no file.

Shapes (docs/architecture.md): B batch, M input modalities, S = M + 1 output streams (the ensemble last), C channels,
K classes, H W height and width.
"""
