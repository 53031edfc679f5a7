"""The wire as the gateway sees it: :class:`noria.wires.wire.WireIn` for each method of a model.

A model's name is in the path, and whether a stream is one of server-sent events in the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec

from noria.core.errors import CallCut, NoriaError
from noria.core.replies import Reply
from noria.core.struct import Noun
from noria.wires.google.answers import Framing, GoogleAnswer
from noria.wires.google.calls import decode_count, decode_request
from noria.wires.google.embeddings import decode_embed, encode_vectors
from noria.wires.google.errors import encode_error
from noria.wires.google.requests import NAME
from noria.wires.wire import Incoming, InOnePiece

_PLACE = re.compile(r"\Aprojects/[^/]+/locations/[^/]+/")
_PUBLISHED = re.compile(r"publishers/([^/]+)/models/(.+)")


class GenerateContent(Noun):
    """``:generateContent`` and ``:streamGenerateContent``."""

    stream: bool = False
    """Whether the reply comes piece by piece."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No headers."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del created
        request = decode_request(body, model=_model(path), stream=self.stream)
        framing: Framing = "sse" if parse_qs(path.get("query", "")).get("alt") == ["sse"] else "array"
        return Incoming(request, GoogleAnswer(id, framing))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class EmbedContent(Noun):
    """``:embedContent`` and ``:batchEmbedContents``."""

    batch: bool = False
    """Whether a call is a list of texts."""

    @property
    def name(self) -> str:
        """Not the dialect of conversations: one text and many are answered in two shapes, so no bytes pass untouched."""
        return "google_embed"

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No headers."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del id, created
        request = decode_embed(body, model=_model(path), wire=self.name, batch=self.batch)
        return Incoming(request, VectorsAnswer(batch=self.batch))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class CountTokens(Noun):
    """``:countTokens``: a prompt, and a number for an answer."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No headers."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del id, created
        return Incoming(decode_count(body, model=_model(path)), CountAnswer())

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


def _model(path: Mapping[str, str]) -> str:
    """The name in a path, which Vertex AI's clients put behind a project, a place and a publisher.

    They make ``publishers/P/models/M`` of ``P/M``, and ``publishers/google/models/M`` of ``M``.
    """
    name = _PLACE.sub("", path["model"])
    if found := _PUBLISHED.fullmatch(name):
        publisher, model = found.groups()
        return model if publisher == "google" else f"{publisher}/{model}"
    return name.removeprefix("models/")


class CountAnswer(InOnePiece):
    """Writes a count, which is never streamed."""

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """``{"totalTokens": ...}``. Raises ``CallCut`` where nobody counted."""
        if reply.counted is None:
            raise CallCut("The tokens were not counted.")
        return raw or msgspec.json.encode({"totalTokens": reply.counted})

    def error(self, error: NoriaError) -> bytes:
        """The error object."""
        return encode_error(error)


class VectorsAnswer(InOnePiece):
    """Writes vectors, always in one piece.

    Arguments:
        batch: whether the call was a list.
    """

    def __init__(self, *, batch: bool) -> None:
        self._batch = batch

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """The vectors."""
        del raw
        if not reply.vectors:
            raise CallCut("The reply holds no vectors.")
        return encode_vectors(reply, batch=self._batch)

    def error(self, error: NoriaError) -> bytes:
        """The error object."""
        return encode_error(error)
