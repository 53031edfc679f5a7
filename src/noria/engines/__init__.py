"""Processes that serve weights, one file per engine, and the weights they serve."""
