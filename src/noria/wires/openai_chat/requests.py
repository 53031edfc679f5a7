"""Requests on the wire: the body of ``POST /chat/completions``.

Nothing that a caller sends is lost in silence: fields without a noun stay in ``Request.unread`` and ``Message.unread``
and are sent on; content parts without a noun stay whole in ``OtherPart``; what can't be carried is refused by name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.requests import Lineage, Request
from noria.core.struct import Noun
from noria.wires.bodies import Body
from noria.wires.carrying import Carrying
from noria.wires.openai_chat.dialect import NAME, Dialect
from noria.wires.openai_chat.messages import message_out, messages_in
from noria.wires.openai_chat.parameters import params_in, params_out
from noria.wires.openai_chat.shapes import RequestShape
from noria.wires.openai_chat.tools import choice_in, tools_in, tools_out
from noria.wires.wire import Encoded
from noria.wires.worded import worded

_BODY = Body(RequestShape)
_OPENAI = Dialect()


class Read(Noun):
    """A request as it came to a server, with how its caller wants the reply."""

    request: Request
    """What is asked."""
    include_usage: bool
    """A streamed reply is to say how many tokens it took."""
    functions: bool = False
    """The caller speaks of ``functions``, as one did before there were tools."""


def decode_request(body: bytes) -> Read:
    """Read a request's body.

    ``variables`` is Noria's own field: values for an app's prompt template. ``user``, or else ``safety_identifier``,
    becomes the lineage's user id and ``metadata.session_id`` its session id; ``metadata`` is kept whole in
    ``attributes["metadata"]``. ``max_completion_tokens`` and ``max_tokens`` are one parameter; ``functions`` are tools.

    Raises:
        InvalidInput: names the field, such as ``messages[2].role``, and says what is wrong with it.
    """
    shape, unread = _BODY.read(body)
    if shape.safety_identifier is not None and shape.user not in {None, shape.safety_identifier}:
        unread["safety_identifier"] = shape.safety_identifier
    metadata = shape.metadata or {}
    session = metadata.get("session_id")
    user = shape.safety_identifier if shape.user is None else shape.user
    request = Request(
        model=shape.model,
        messages=messages_in(shape.messages),
        params=params_in(shape, unread),
        tools=tools_in(shape),
        tool_choice=choice_in(shape),
        n=shape.n or 1,
        stream=bool(shape.stream),
        wire=NAME,
        unread=unread,
        variables=shape.variables or {},
        lineage=Lineage(user_id=user, session_id=session if isinstance(session, str) else None),
        attributes={"metadata": metadata} if metadata else {},
    )
    usage = bool(shape.stream_options and shape.stream_options.include_usage)
    return Read(request=request, include_usage=usage, functions=shape.functions is not None)


def encode_request(request: Request, *, stream: bool, model: str | None = None, dialect: Dialect = _OPENAI) -> Encoded:
    """Write a request. A streamed reply is asked for with its token count.

    ``metadata`` goes along only where the caller asked the provider to ``store`` the call: without it OpenAI refuses
    the field. Fields in ``extra`` and ``unread`` never replace those that Noria sets itself.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    carrying = Carrying(request, "a Chat Completions server")
    if request.params.response_schema is not None and not dialect.schemas:
        carrying.emulates("response_schema")
        request = _in_words(request)
    own = request.wire == NAME or not request.wire
    body: dict[str, Any] = carrying.foreign(NAME, request)
    if request.params.extra:
        body |= request.params.extra
    body["model"] = model or request.model
    body["messages"] = [message_out(message, dialect, carrying, own=own) for message in request.messages]
    params_out(request.params, body, dialect, carrying, own=own)
    if request.tools or request.tool_choice is not None:
        tools_out(request, body, dialect, carrying, own=own)
    if request.n != 1:
        body["n"] = request.n
    if request.lineage.user_id is not None:
        body["user"] = request.lineage.user_id
    if body.get("store") and "metadata" in request.attributes:
        body["metadata"] = request.attributes["metadata"]
    body["stream"] = stream
    if stream:
        body["stream_options"] = {"include_usage": True}
    return Encoded(
        path="/chat/completions",
        body=msgspec.json.encode(body),
        headers=dict(request.headers) if own else {},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def _in_words(request: Request) -> Request:
    """The schema said in words. JSON mode helps where the value is an object, which is all that it knows."""
    any_object = (request.params.response_schema or {}).get("type") == "object"
    params = msgspec.structs.replace(request.params, response_schema=None, response_json=any_object)
    return msgspec.structs.replace(worded(request), params=params)
