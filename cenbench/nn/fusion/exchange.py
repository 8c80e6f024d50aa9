"""Channel exchanging, the paper's method. It acts after the norms: see `cenbench.nn.exchange`.

Source: paper.md#equation-6.
"""

LABEL = "Ours"
ACTS = "norms"
MERGES = False
INPUTS = (2, None)
