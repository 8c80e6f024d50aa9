"""Checks of a site: what a run needs, whether it is here, and how to fix what is not. Torch-free."""
