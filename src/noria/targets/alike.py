"""Questions in other words: the same call but for the last thing that the user says, and that much alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
import structlog

from noria.core.caching import Embed, KeptReply, Replies, Similar
from noria.core.errors import NoriaError
from noria.core.requests import Request, request_id

MOST_CHARS = 8000
"""Longest question that is compared."""
_log = structlog.get_logger(__name__)


class Asked(msgspec.Struct, frozen=True):
    """A question as a vector, and everything else about its call."""

    about: str
    embedder: str
    vector: bytes

    def known_by(self, kept: KeptReply) -> KeptReply:
        """The reply, to be found by the question."""
        return msgspec.structs.replace(kept, about=self.about, embedder=self.embedder, vector=self.vector)


class Alike:
    """Finds the kept reply to a question in other words.

    Only the last message may differ, and only where it is plain text of the user. An embedder that fails costs the call
    nothing but its time: the model is asked.
    """

    def __init__(self, similar: Similar, embed: Embed, replies: Replies) -> None:
        self._similar = similar
        self._embed = embed
        self._replies = replies

    async def asked(self, request: Request, server: str, around: Sequence[str]) -> Asked | None:
        """The question of a call; None where it has none that can be compared."""
        last = request.messages[-1] if request.messages else None
        if last is None or last.role != "user" or not isinstance(last.content, str):
            return None
        question = last.content.strip()
        if not 0 < len(question) <= MOST_CHARS:
            return None
        try:
            vector = await self._embed(self._similar.embedder, question, request)
        except NoriaError as error:
            _log.warning("cache.embedder_failed", embedder=self._similar.embedder, code=error.code)
            return None
        unit = unit_vector(vector)
        if unit is None:
            return None
        rest = (*request.messages[:-1], msgspec.structs.replace(last, content=""))
        about = digest(request_id(msgspec.structs.replace(request, messages=rest), server=server), *around)
        return Asked(about, self._similar.embedder, unit)

    async def found(self, asked: Asked) -> tuple[KeptReply | None, float | None]:
        """The reply to the likest question, where it is alike enough, and how alike."""
        near = await self._replies.near(asked.about, asked.embedder, asked.vector, self._similar.threshold)
        return near or (None, None)


def unit_vector(vector: Sequence[float]) -> bytes | None:
    """The vector at length 1, little-endian float32; None where it has no direction."""
    found = np.asarray(vector, dtype="<f4")
    length = float(np.linalg.norm(found))
    if not np.isfinite(length) or length == 0.0:
        return None
    return (found / length).astype("<f4").tobytes()


def digest(*parts: str) -> str:
    """One id of several texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]
