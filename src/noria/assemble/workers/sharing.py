"""What the processes of one server share beside their stores: places for calls, so that `max_calls` is the server's number, and breakers that open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from noria.core.struct import Noun
from noria.stores.openings import Openings
from noria.stores.places import SharedPlaces, forget

if TYPE_CHECKING:
    from noria.assemble.workspace import Workspace


class Sharing(Noun):
    """Where one of several processes finds what they share."""

    folder: str
    """Where the numbers are; it is there, and empty at first."""
    processes: int
    """How many share it."""
    process: int = 0
    """Which one this is, from 0."""

    def by(self, process: int) -> Sharing:
        """The same for another one."""
        return msgspec.structs.replace(self, process=process)


def share(workspace: Workspace, sharing: Sharing) -> None:
    """Count calls together with the others, and tell each other of breakers. Raises ``StorageFull``, ``InvalidInput``."""
    where = (Path(sharing.folder), sharing.process, sharing.processes)
    workspace.calling.share(SharedPlaces(*where), Openings(*where))


def leave_out(sharing: Sharing, process: int) -> None:
    """A process is gone: it has nothing under way any more."""
    forget(Path(sharing.folder), process, sharing.processes)
