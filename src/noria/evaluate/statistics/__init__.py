"""The statistics of release decisions, one idea a file; formulas and sources are in ``docs/statistics.md``."""
