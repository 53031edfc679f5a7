"""The wire as the gateway sees it: ``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from noria.core.errors import CallCut, NoriaError
from noria.core.events import Event
from noria.core.replies import Reply
from noria.core.struct import Noun
from noria.wires.anthropic.errors import encode_error
from noria.wires.anthropic.incoming import NAME, decode_request
from noria.wires.anthropic.replies import encode_reply
from noria.wires.anthropic.writer import StreamEncoder
from noria.wires.wire import Incoming, InOnePiece

_PASSED_ON = ("anthropic-version", "anthropic-beta")


class Messages(Noun):
    """The Messages dialect of a caller."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """The API's version, and the betas that the caller wants."""
        return _PASSED_ON

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del path, created
        return Incoming(decode_request(body), MessagesAnswer(f"msg_{id}"))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class MessagesAnswer:
    """Writes the reply to one call.

    Arguments:
        id: id of the reply.
    """

    content_type = b"text/event-stream; charset=utf-8"

    def __init__(self, id: str) -> None:
        self._id = id
        self._stream = StreamEncoder(id)

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """A ``message`` object."""
        return raw or encode_reply(reply, id=self._id)

    def encode(self, event: Event) -> bytes:
        """The events of a stream that say it, or nothing."""
        return self._stream.encode(event)

    def finish(self) -> bytes:
        """Why the reply stopped, its tokens, and ``message_stop``."""
        return self._stream.finish()

    def error(self, error: NoriaError) -> bytes:
        """An ``error`` event, and no ``message_stop``."""
        return self._stream.error(error)


class CountTokens(Noun):
    """How many tokens a prompt has: the same body, and a number for an answer."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """As for a call."""
        return _PASSED_ON

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del path, id, created
        request = msgspec.structs.replace(decode_request(body, counting=True), count=True)
        return Incoming(request, CountAnswer())

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class CountAnswer(InOnePiece):
    """Writes a count, which is never streamed."""

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """``{"input_tokens": ...}``. Raises ``CallCut`` where nobody counted."""
        if reply.counted is None:
            raise CallCut("The tokens were not counted.")
        return raw or msgspec.json.encode({"input_tokens": reply.counted})

    def error(self, error: NoriaError) -> bytes:
        """The body of an error."""
        return encode_error(error)
