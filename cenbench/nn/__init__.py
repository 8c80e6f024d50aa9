"""Modality-parallel networks: layers, channel exchange, fusion methods, encoders, decoders and generators.

Shape suffixes: B batch, M modalities, S = M + 1 output streams (the ensemble last), C channels, K classes, H height,
W width. Lowercase h and w are those of a smaller map.
"""
