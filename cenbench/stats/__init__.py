"""Intervals, equivalence, verdicts and comparisons: pure functions of numbers. Reads no file, imports no torch."""
