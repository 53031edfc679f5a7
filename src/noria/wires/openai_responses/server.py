"""The wire as the gateway sees it: :class:`noria.wires.wire.WireIn` for ``POST /v1/responses``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from noria.core.errors import CallCut, NoriaError
from noria.core.events import Event, Noted, OnRecord, Raw, Sent, Started
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.core.unfolding import events_of
from noria.wires.openai_chat.errors import encode_error
from noria.wires.openai_responses.requests import NAME, STORED, decode_request
from noria.wires.openai_responses.writer import Fields, Writer
from noria.wires.wire import Incoming


class Responses(Noun):
    """The Responses dialect of a caller."""

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
        request = _named(decode_request(body), f"resp_{id}")
        return Incoming(request, ResponsesAnswer(id, created, echo(request)))

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response."""
        return encode_error(error)


def _named(request: Request, id: str) -> Request:
    """The request of a response that will be stored, with its id noted."""
    if STORED not in request.attributes:
        return request
    asked = msgspec.json.decode(request.attributes[STORED]) | {"id": id}
    attributes = request.attributes | {STORED: msgspec.json.encode(asked).decode()}
    return msgspec.structs.replace(request, attributes=attributes)


def echo(request: Request) -> Fields:
    """What a response repeats of its request."""
    asked: Fields = msgspec.json.decode(request.attributes.get(STORED, "{}"))
    given: Fields = {
        "instructions": None,
        "max_output_tokens": request.params.max_tokens,
        "metadata": request.attributes.get("metadata", {}),
        "model": request.model,
        "parallel_tool_calls": request.params.parallel_tools is not False,
        "previous_response_id": request.unread.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": STORED in request.attributes,
        "temperature": request.params.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": request.tool_choice or "auto",
        "tools": [],
        "top_p": request.params.top_p,
        "truncation": "disabled",
        "user": request.lineage.user_id,
    }
    repeated = ("instructions", "tools", "text", "reasoning")
    return given | {name: asked[name] for name in repeated if asked.get(name) is not None}


class ResponsesAnswer:
    """Writes the reply to one call.

    The bytes of a provider of this wire are sent as they are but for its id of the response: the gateway's own, by which
    it can be asked for again, stands in its place.

    Arguments:
        id: hex digits that the response's id is made of.
        created: seconds since 1970 UTC.
        echo: what the response repeats of the request.
    """

    content_type = b"text/event-stream; charset=utf-8"

    def __init__(self, id: str, created: int, echo: Fields) -> None:
        self._id = id.encode()
        self._writer = Writer(id, created, echo)
        self._theirs = b""
        self._begun = False
        self._passed = False

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """A response object."""
        if raw:
            return _renamed(raw, reply.id.encode(), b"resp_" + self._id)
        if not reply.complete:
            raise CallCut("The reply ended before it was complete.")
        return msgspec.json.encode(written(self._writer, reply))

    def encode(self, event: Event) -> bytes:
        """Events, or none."""
        match event:
            case Raw() if event.wire == NAME:
                for inner in event.events:
                    if isinstance(inner, Started):
                        self._theirs = inner.id.encode()
                self._begun = self._passed = True
                return _renamed(event.data, self._theirs, b"resp_" + self._id)
            case Raw():
                return b"".join(map(self.encode, event.events))
            case Sent() | OnRecord() | Noted():
                return b""
            case _:
                opening: list[Fields] = []
                if not self._begun:
                    self._begun = True
                    opening = [*self._writer.start(event.model if isinstance(event, Started) else "")]
                return _events([*opening, *self._writer.take(event)])

    def finish(self) -> bytes:
        """The end of a complete response."""
        return b"" if self._passed else _events(self._writer.finish())

    def error(self, error: NoriaError) -> bytes:
        """The response as failed, and an ``error``."""
        return _events(self._writer.fail(error))


def written(writer: Writer, reply: Reply) -> Fields:
    """The response object of a whole reply."""
    for event in events_of(reply):
        for _ in writer.take(event):
            pass
    for _ in writer.finish():
        pass
    return writer.response


def _events(events: Iterable[Fields]) -> bytes:
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), msgspec.json.encode(event)) for event in events
    )


def _renamed(data: bytes, theirs: bytes, ours: bytes) -> bytes:
    """``data`` with the provider's id of the response replaced, where it stands as a JSON text of its own."""
    return data.replace(b'"%s"' % theirs, b'"%s"' % ours) if theirs else data
