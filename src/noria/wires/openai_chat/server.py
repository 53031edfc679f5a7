"""The wire as the gateway sees it: :class:`noria.wires.wire.WireIn` for ``POST /v1/chat/completions``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from noria.core.errors import NoriaError
from noria.core.events import Event
from noria.core.replies import Reply
from noria.core.struct import Noun
from noria.wires.openai_chat.dialect import NAME
from noria.wires.openai_chat.errors import encode_error
from noria.wires.openai_chat.replies import encode_reply
from noria.wires.openai_chat.requests import decode_request
from noria.wires.openai_chat.stream import StreamEncoder
from noria.wires.wire import Incoming


class ChatCompletions(Noun):
    """The Chat Completions dialect of a caller."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    @property
    def passed_on(self) -> tuple[str, ...]:
        """No header: everything is in the body."""
        return ()

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call."""
        del path
        read = decode_request(body)
        answer = ChatAnswer(f"chatcmpl-{id}", created, include_usage=read.include_usage, functions=read.functions)
        return Incoming(read.request, answer)

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


class ChatAnswer:
    """Writes the reply to one call.

    Arguments:
        id: id of the reply.
        created: seconds since 1970 UTC.
        include_usage: the caller of a stream asked for the token count.
        functions: the caller speaks of functions, as one did before there were tools.
    """

    content_type = b"text/event-stream; charset=utf-8"

    def __init__(self, id: str, created: int, *, include_usage: bool, functions: bool = False) -> None:
        self._id = id
        self._created = created
        self._functions = functions
        self._include_usage = include_usage

    @functools.cached_property
    def encode(self) -> Callable[[Event], bytes]:
        """A ``chat.completion.chunk``, or nothing."""
        return self._stream.encode

    @functools.cached_property
    def _stream(self) -> StreamEncoder:
        return StreamEncoder(self._id, self._created, self._include_usage, functions=self._functions)

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """A ``chat.completion`` object."""
        if raw and not self._functions:
            return raw
        return encode_reply(reply, id=self._id, created=self._created, functions=self._functions)

    def finish(self) -> bytes:
        """The token count, where it was asked for, and ``[DONE]``."""
        return self._stream.finish()

    def error(self, error: NoriaError) -> bytes:
        """An error object, and no ``[DONE]``."""
        return self._stream.error(error)
