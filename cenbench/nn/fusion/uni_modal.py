"""One modality alone."""

LABEL = "Uni-modal"
ACTS = "nowhere"
MERGES = False
INPUTS = (1, 1)
