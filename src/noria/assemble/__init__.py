"""Putting Noria together: the only room that chooses implementations, by settings.

``serve`` and ``cli`` see a :class:`Workspace` and nothing behind it.
"""

from noria.assemble.reports import ModelReport, PullProgress
from noria.assemble.workspace import Workspace, open_workspace

__all__ = ["ModelReport", "PullProgress", "Workspace", "open_workspace"]
