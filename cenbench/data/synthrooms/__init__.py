"""Synthetic rooms: small indoor scenes rendered locally, so that the benchmark runs without a download."""
