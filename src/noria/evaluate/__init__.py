"""Experiments: data set x variants x scorers.

files/       what people write: data sets, and the YAML file of ``noria eval``
running/     calls, durably recorded, bounded, resumed
statistics/  intervals, paired tests, correction, power: numbers in, numbers out
findings/    what judged answers say: summaries, comparisons, verdicts, gates
laboratory.py   experiments under way, from the first call to the saved end
"""
