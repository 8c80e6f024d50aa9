"""No fusion: modalities run in parallel, each to a prediction of its own, and meet in the ensemble only."""

LABEL = "None"
ACTS = "nowhere"
MERGES = False
INPUTS = (2, None)
