"""Synthetic rooms: small indoor scenes rendered on the machine at hand, so the benchmark runs without a download."""
