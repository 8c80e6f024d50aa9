"""Turning a trained cell into metrics, sample pictures and exported predictions."""
