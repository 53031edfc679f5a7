"""How lists of spans are narrowed: the query parameters that several routes share."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from noria.assemble import Workspace
from noria.core.attributes import KEY_ID
from noria.core.questions import Filter, Question
from noria.serve.api.conditions import column_condition, score_condition
from noria.serve.times import moment

App = Annotated[str | None, QueryParameter(description="Only of this app.")]
Model = Annotated[str | None, QueryParameter(description="Only of this model, as it was asked for.")]
Status = Annotated[Literal["ok", "error", "cancelled"] | None, QueryParameter(description="Only with this status.")]
Operation = Annotated[str | None, QueryParameter(description="Only of this kind: chat, execute_tool, invoke_agent ...")]
Session = Annotated[str | None, QueryParameter(description="Only of this session.")]
User = Annotated[str | None, QueryParameter(description="Only of this end user.")]
Key = Annotated[
    str | None,
    QueryParameter(description="Only of this virtual key, by name or id; what Noria asked on its account included."),
]
Text = Annotated[str | None, QueryParameter(description='Words that must all occur; "words in quotes" as they stand.')]
Where = Annotated[
    list[str] | None,
    QueryParameter(description="Conditions on columns: duration_s>2, attributes.tier=gold, name~chat."),
]
Scored = Annotated[
    list[str] | None, QueryParameter(description="Conditions on scores: correct<0.5, tone=rude, correct, !correct.")
]
Since = Annotated[str | None, QueryParameter(description="Not before: 2h (ago), 2026-11-23, 2026-11-23T06:00Z.")]
Until = Annotated[str | None, QueryParameter(description="Before: written as since.")]
Roots = Annotated[bool, QueryParameter(description="Only spans without a parent.")]


async def provide_question(
    workspace: NamedDependency[Workspace],
    *,
    app: App = None,
    model: Model = None,
    status: Status = None,
    operation: Operation = None,
    session: Session = None,
    user: User = None,
    key: Key = None,
    text: Text = None,
    where: Where = None,
    score: Scored = None,
    since: Since = None,
    until: Until = None,
    roots: Roots = False,
) -> Question:
    """The question over spans that a request's query parameters make.

    Raises:
        InvalidInput: a time or a condition is none.
        UnknownName: there is no such key.
    """
    of_key = (await asyncio.to_thread(workspace.catalogue.keys.get, key)).id if key else None
    named = {
        "app": app,
        "model": model,
        "status": status,
        "operation": operation,
        "session_id": session,
        "user_id": user,
        f"attributes.{KEY_ID}": of_key,
    }
    now = workspace.now()
    return Question(
        where=(
            *(Filter(column=column, value=value) for column, value in named.items() if value),
            *([Filter(column="parent_id", op="is null")] if roots else []),
            *(column_condition(one) for one in where or ()),
        ),
        scored=tuple(score_condition(one) for one in score or ()),
        text=text or None,
        since_ns=moment(since, now) if since else None,
        until_ns=moment(until, now) if until else None,
    )
