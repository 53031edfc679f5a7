"""Erasure of an end user's data. The user's id travels in a body: paths end up in the logs of proxies."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from noria.assemble import Workspace
from noria.core.erasures import Erasure, Receipt
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import EraseUser


class ErasuresController(Controller):
    """``/api/erasures``."""

    path = "/erasures"
    tags = ("erasures",)

    @get(sync_to_thread=True)
    def list_receipts(self, workspace: NamedDependency[Workspace]) -> list[Receipt]:
        """Every receipt, newest first. None tells a user's id; who knows it can check which are about them."""
        return list(workspace.erasures.receipts())

    @post(status_code=200)
    async def erase(
        self, workspace: NamedDependency[Workspace], data: JSONBody[EraseUser], actor: Actor = ADMIN
    ) -> Erasure:
        """Delete everything about a user, for good, and make a receipt; in a dry run, only tell what is there."""
        return await workspace.erasures.erase(data.user, by=actor, dry_run=data.dry_run)
