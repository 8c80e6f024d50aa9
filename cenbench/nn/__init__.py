"""Modality-parallel networks: layers, channel exchange, fusion methods, encoders, decoders and generators.

Shapes (docs/architecture.md): B batch, M input modalities, S = M + 1 output streams (the ensemble last), C channels,
K classes, H W height and width.
"""
