"""Checks of a site: what a run needs, whether it is here, and how to mend what is not. Torch-free."""
