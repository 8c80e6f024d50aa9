"""No fusion: the modalities run in parallel, each to its own prediction, and are combined in the ensemble only."""

LABEL = "None"
ACTS = "nowhere"
MERGES = False
INPUTS = (2, None)
