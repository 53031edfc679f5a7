"""Experiments: data set x variants x scorers.

What an experiment reads, in order: ``datasets`` (cases out of files), ``evalfile`` (the YAML file of ``noria eval``).
What runs it: ``runner`` (calls, durably recorded, resumed), ``laboratory`` (experiments under way, and their results).
What it concludes: statistics over :class:`~noria.evaluate.judged.Judged` answers.
"""
