"""Channel exchanging, the paper's method (equation 6). It acts behind the norms: see `cenbench.nn.exchange`."""

LABEL = "Ours"
ACTS = "norms"
MERGES = False
INPUTS = (2, None)
