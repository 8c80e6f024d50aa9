"""cenbench: a declarative benchmark harness for multimodal fusion by channel exchanging (CEN, NeurIPS 2020)."""

__version__ = "0.1.0"
