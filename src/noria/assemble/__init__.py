"""Putting Noria together: the only room that chooses implementations, by settings.

``serve`` and ``cli`` see a :class:`Workspace` and nothing behind it. It is imported when it is first asked for: two
seconds that a command which talks to a running server need not pay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.assemble.reports import ModelReport, PullProgress
from noria.bridges.otlp.problems import Problem as IntakeProblem

if TYPE_CHECKING:
    from noria.assemble.opening import open_shared_workspace, open_workspace
    from noria.assemble.workers.link import Link
    from noria.assemble.workers.worker import open_worker_workspace
    from noria.assemble.workspace import Workspace

__all__ = [
    "IntakeProblem",
    "Link",
    "ModelReport",
    "PullProgress",
    "Workspace",
    "open_shared_workspace",
    "open_worker_workspace",
    "open_workspace",
]


def __getattr__(name: str) -> object:
    """The workspace, imported late (PEP 562)."""
    if name in {"Workspace", "open_shared_workspace", "open_workspace"}:
        from noria.assemble import opening  # noqa: PLC0415  # see above

        return getattr(opening, name)
    if name in {"Link", "open_worker_workspace"}:
        from noria.assemble.workers import worker  # noqa: PLC0415  # see above

        return getattr(worker, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
