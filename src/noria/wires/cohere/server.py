"""The wire as the gateway sees it: :class:`noria.wires.wire.WireIn` for ``POST /v2/rerank`` and ``POST /v1/rerank``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from noria.core.errors import InvalidInput, NoriaError
from noria.core.replies import Reply
from noria.core.struct import Noun
from noria.wires.cohere.rerank import NAME, NAME_V1, decode_rank_request, encode_rank_reply
from noria.wires.wire import Incoming, InOnePiece


class Rerank(Noun):
    """Rankings as a caller of version 2 asks for them."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No header."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del path, created
        request, unread = decode_rank_request(body, wire=NAME)
        return Incoming(msgspec.structs.replace(request, unread=unread), RankAnswer(id, version="2"))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class RerankV1(Noun):
    """Rankings as a caller of version 1 asks for them: it may want each document back beside its relevance."""

    @property
    def name(self) -> str:
        """The dialect. Providers are called in version 2, so bytes of this one never pass untouched."""
        return NAME_V1

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No header."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del path, created
        request, unread = decode_rank_request(body, wire=NAME_V1)
        wanted = _flag(unread.pop("return_documents", None), "return_documents")
        documents = request.rank.documents if wanted and request.rank is not None else ()
        request = msgspec.structs.replace(request, unread=unread)
        return Incoming(request, RankAnswer(id, version="1", documents=documents))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class RankAnswer(InOnePiece):
    """Writes the reply to one call. A ranking is never streamed.

    Arguments:
        id: id of the reply.
        version: of the dialect.
        documents: the texts that were ranked, where the caller wants them back.
    """

    def __init__(self, id: str, *, version: str, documents: tuple[str, ...] = ()) -> None:
        self._id = id
        self._version = version
        self._documents = documents

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """The ranking; as the provider wrote it, where it speaks this version."""
        if raw:
            return raw
        return encode_rank_reply(reply, id=self._id, version=self._version, documents=self._documents)

    def error(self, error: NoriaError) -> bytes:
        """The error's body."""
        return encode_error(error)


def encode_error(error: NoriaError) -> bytes:
    """``error`` as the body of a reply with status ``error.status``. ``code`` is Noria's stable name of the error."""
    return msgspec.json.encode({"message": str(error), "code": error.code})


def _flag(value: Any, field: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"`{field}` is wrong: Expected `bool`, got `{type(value).__name__}`.")
    return bool(value)
