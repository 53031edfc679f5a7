"""The audit log: read and checked. Nothing here can change it."""

from __future__ import annotations

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from noria.assemble import Workspace
from noria.core.audit import AuditEntry, AuditReport
from noria.serve.api.paging import Before, Limit


class AuditController(Controller):
    """``/api/audit``."""

    path = "/audit"
    tags = ("audit",)

    @get(sync_to_thread=True)
    def list_entries(
        self,
        workspace: NamedDependency[Workspace],
        limit: Limit = 100,
        before: Before = None,
        action: FromQuery[str | None] = None,
        subject: FromQuery[str | None] = None,
    ) -> list[AuditEntry]:
        """Every change that was made, newest first; an action with a dot at its end means all that begin so."""
        return workspace.catalogue.audit.list(limit, before=before, action=action, subject=subject)

    @get("/verify", sync_to_thread=True)
    def verify(self, workspace: NamedDependency[Workspace], head: FromQuery[str | None] = None) -> AuditReport:
        """Check the chain, and that the entry with the hash ``head`` is in it."""
        return workspace.catalogue.audit.verify(head)
