"""``noria sessions``, and ``noria users list``: views over the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from noria.assemble.record.activity import Activity
from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import group
from noria.cli.narrowing import narrowed, narrowing
from noria.cli.tables import Table, coloured, dollars, table, tokens, when
from noria.core.errors import InvalidInput


@group()
def sessions() -> None:
    """Sessions: calls that belong together, as the callers name them."""


_limit = click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most rows.")
_offset = click.option("--offset", type=click.IntRange(0), default=0, help="Rows to skip.")


@sessions.command("list")
@_limit
@_offset
@narrowing
@with_api(reads_only=True)
async def list_sessions(api: Api, show: Show, limit: int, offset: int, **given: Any) -> None:
    """List sessions, the last active first."""
    found = await api.get("/api/sessions", list[Activity], limit=limit, offset=offset, **narrowed(given))
    nothing = "No sessions yet. Callers name one as metadata.session_id of a request, or session.id of a span."
    show(found, lambda console: _draw(console, found, "session", nothing, limit, offset))


@sessions.command("show")
@click.argument("session_id")
@_limit
@_offset
@with_api(reads_only=True)
async def show_session(api: Api, show: Show, session_id: str, limit: int, offset: int) -> None:
    """Show the traces of a session, the last active first."""
    if not session_id:
        raise InvalidInput("A session's name is not empty.")
    found = await api.get(f"/api/sessions/{session_id}", list[Activity], limit=limit, offset=offset)
    show(found, lambda console: _draw(console, found, "trace", "No more traces.", limit, offset))


@click.command("list")
@_limit
@_offset
@narrowing
@with_api(reads_only=True)
async def list_users(api: Api, show: Show, limit: int, offset: int, **given: Any) -> None:
    """List end users, the last active first."""
    found = await api.get("/api/users", list[Activity], limit=limit, offset=offset, **narrowed(given))
    nothing = "No users yet. Callers name one as `user` of a request, or user.id of a span."
    show(found, lambda console: _draw(console, found, "user", nothing, limit, offset))


def _draw(console: Console, found: Sequence[Activity], noun: str, nothing: str, limit: int, offset: int) -> None:
    console.print(_table(found, noun) if found else nothing)
    if len(found) == limit:
        console.print(f"There may be more: --offset {offset + limit}")


def _table(found: Sequence[Activity], noun: str) -> Table:
    rows = [
        (
            one.id,
            when(one.last_ns),
            when(one.first_ns),
            f"{one.sessions:,}",
            f"{one.traces:,}",
            f"{one.spans:,}",
            coloured(f"{one.failed:,}", "red" if one.failed else ""),
            f"{tokens(one.input_tokens)} → {tokens(one.output_tokens)}",
            dollars(one.cost_usd),
        )
        for one in found
    ]
    headers = (noun, "last seen", "first seen", "sessions", "traces", "steps", "failed", "tokens", "cost")
    hidden = {"session": ("sessions",), "trace": ("sessions", "traces", "first seen"), "user": ()}[noun]
    kept = [index for index, name in enumerate(headers) if name not in hidden]
    return table(
        *(headers[index] for index in kept),
        rows=[[row[index] for index in kept] for row in rows],
        right=("sessions", "traces", "steps", "failed", "tokens", "cost"),
        spare=[name for name in ("first seen", "tokens", "steps") if name not in hidden],
        hide_empty=("sessions", "failed"),
    )
