"""Checks that everything a run needs is in place, each with the fix for what is not."""
