"""The server itself: what it is, what it knows, and new login links."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Controller, get, post
from litestar.di import NamedDependency

from noria.assemble import Workspace
from noria.core.reloads import Reloaded
from noria.serve.access import Access
from noria.serve.shapes import LoginToken, ServerReport


class ServerController(Controller):
    """``/api/server`` and ``/api/login-tokens``."""

    path = "/"
    tags = ("server",)

    @get("/server")
    async def show(self, workspace: NamedDependency[Workspace]) -> ServerReport:
        """Version, folder, environment and numbers."""
        return ServerReport(
            version=workspace.version,
            data=workspace.place,
            environment=dict(await asyncio.to_thread(lambda: workspace.environment)),
            numbers=dict(workspace.numbers()),
        )

    @post("/server/reload", status_code=200)
    async def reload(self, workspace: NamedDependency[Workspace]) -> Reloaded:
        """Read the configuration again: providers, routes and limits change, and no call under way is lost.

        A configuration that is wrong changes nothing.
        """
        return await workspace.configuration.reload()

    @get("/scorers", sync_to_thread=True)
    def scorers(self, workspace: NamedDependency[Workspace]) -> dict[str, Any]:
        """Every kind of scorer: what it needs, and the JSON Schema of its options."""
        return workspace.scorer_kinds()

    @post("/login-tokens")
    async def new_login_token(self, access: NamedDependency[Access]) -> LoginToken:
        """Make a login link's token."""
        return LoginToken(token=access.new_link_token())
