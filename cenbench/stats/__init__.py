"""Statistics of results: intervals, equivalence, comparisons, as pure functions of numbers that read no file.

They name SciPy's functions in full (`scipy.stats.levene`), so that its submodules, a second to import, are loaded only
where a number needs them: a table of one seed does not.
"""
