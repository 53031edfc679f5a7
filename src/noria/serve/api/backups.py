"""A backup, as a stream: whoever asks for it writes it down, so the server writes to no path that a caller names."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from noria.assemble import Workspace
from noria.serve.api.actor import ADMIN, Actor

Name = Annotated[str, QueryParameter(max_length=200, description="How the audit log and receipts call this backup.")]


class BackupsController(Controller):
    """``/api/backup``."""

    path = "/backup"
    tags = ("backup",)

    @get(media_type="application/x-tar")
    async def backup(
        self,
        workspace: NamedDependency[Workspace],
        *,
        name: Name = "backup.tar",
        weights: FromQuery[bool] = True,
        key: FromQuery[bool] = False,
        actor: Actor = ADMIN,
    ) -> Stream:
        """Everything, as one tar archive, while everything runs. Its last file is the manifest: without it, it is none."""
        pieces = workspace.backups.stream(name, by=actor, weights=weights, key=key)
        return Stream(pieces, media_type="application/x-tar")
