"""Watching live traffic: the same scorers that judge an experiment, on the calls of real users."""

from noria.monitor.live import LiveMonitors, refuse_needs

__all__ = ["LiveMonitors", "refuse_needs"]
