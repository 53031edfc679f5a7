"""On whose account Noria calls a model by itself: a judge, or the cache's embedder, belongs to whoever's call it is asked for."""

from __future__ import annotations

from noria.core.attributes import KEY_ID, ROUTE, SHADOW, TEAM
from noria.core.keys import Caller
from noria.core.requests import Request
from noria.core.spans import Span


def account_of(cause: Request | Span) -> Caller:
    """Whose limits count what a call, under way or on record, has caused. A mirrored call's is nobody's but whoever's runs Noria."""
    if SHADOW in cause.attributes:
        return Caller()
    if isinstance(cause, Request):
        key_id, team = cause.caller.key_id, cause.caller.team
    else:
        key_id, team = _text(cause, KEY_ID), _text(cause, TEAM)
    return Caller(
        key_id=key_id,
        team=team,
        app=cause.lineage.app or _text(cause, ROUTE),
        user_id=cause.lineage.user_id or "",
    )


def _text(cause: Request | Span, attribute: str) -> str:
    return str(cause.attributes.get(attribute, ""))
