"""The parts of `benchmarks/gpu.py`: one module per part, each run in a process of its own."""
