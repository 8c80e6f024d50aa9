"""Statistics of results: intervals, equivalence, comparisons, as pure functions of numbers that read no file."""
