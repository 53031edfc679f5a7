"""Sessions and end users: views over the record."""

from __future__ import annotations

from pathlib import Path

from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from msgspec.structs import replace

from noria.assemble import Workspace
from noria.assemble.record.activity import Activity
from noria.core.errors import UnknownName
from noria.core.questions import Filter, Question
from noria.serve.api.finding import provide_question
from noria.serve.api.paging import Limit, Offset


class SessionsController(Controller):
    """``/api/sessions``."""

    path = "/sessions"
    tags = ("traces",)
    dependencies = {"question": Provide(provide_question)}

    @get()
    async def list_sessions(
        self,
        workspace: NamedDependency[Workspace],
        question: NamedDependency[Question],
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> list[Activity]:
        """Sessions with steps that match, the last active first."""
        return await workspace.activities("session_id", question, limit=limit, offset=offset)

    @get("/{session_id:path}")
    async def traces_of_session(
        self,
        workspace: NamedDependency[Workspace],
        question: NamedDependency[Question],
        session_id: FromPath[Path],
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> list[Activity]:
        """The traces of a session, the last active first."""
        wanted = session_id.as_posix().removeprefix("/")
        asked = replace(question, where=(*question.where, Filter(column="session_id", value=wanted)))
        found = await workspace.activities("trace_id", asked, limit=limit, offset=offset)
        if not found and not offset:
            raise UnknownName(f"There is no session {wanted!r} with such steps.")
        return await self._whole(workspace, question, wanted, [trace.id for trace in found])

    @staticmethod
    async def _whole(workspace: Workspace, question: Question, session: str, ids: list[str]) -> list[Activity]:
        """The same traces with their steps that name no session."""
        mine = (
            Filter(column="trace_id", op="in", value=ids),
            Filter(column="session_id", op="in", value=[session, None]),
        )
        found = await workspace.activities(
            "trace_id", replace(question, where=(*question.where, *mine)), limit=len(ids)
        )
        return sorted(found, key=lambda trace: ids.index(trace.id))


class UsersController(Controller):
    """``/api/users``."""

    path = "/users"
    tags = ("traces",)
    dependencies = {"question": Provide(provide_question)}

    @get()
    async def list_users(
        self,
        workspace: NamedDependency[Workspace],
        question: NamedDependency[Question],
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> list[Activity]:
        """End users with steps that match, the last active first."""
        return await workspace.activities("user_id", question, limit=limit, offset=offset)
