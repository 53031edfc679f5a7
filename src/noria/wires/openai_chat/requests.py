"""Requests on the wire: the body of ``POST /chat/completions``.

Nothing that a caller sends is lost in silence: top-level fields without a noun stay in ``Request.unread`` and are
sent on; content parts without a noun stay whole in ``OtherPart``; what can't be carried is refused by name.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import (
    AudioPart,
    BlobPart,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    Part,
    TextPart,
    ToolCall,
)
from noria.core.requests import Lineage, Parameters, Request, Tool
from noria.wires.bodies import read_object, read_shape
from noria.wires.carrying import Carrying
from noria.wires.openai_chat.shapes import MessageShape, RequestShape, ToolCallShape
from noria.wires.wire import Encoded

NAME = "openai_chat"
"""The dialect's name."""
_KNOWN = frozenset(RequestShape.__struct_fields__)
_CARRIED_ALIKE = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
"""Parameters with one name and one meaning on the wire and in :class:`Parameters`."""


class Read(NamedTuple):
    """A request as it came to a server, with how its caller wants the reply."""

    request: Request
    include_usage: bool


def decode_request(body: bytes) -> Read:
    """Read a request's body.

    ``variables`` is Noria's own field: values for an app's prompt template. ``user`` becomes the lineage's user id and
    ``metadata.session_id`` its session id; ``metadata`` is kept whole in ``attributes["metadata"]``.
    ``max_completion_tokens`` and ``max_tokens`` are one parameter. A ``response_format`` that holds the reply strictly
    to a JSON schema becomes ``response_schema``; any other stays in ``unread``.

    Raises:
        InvalidInput: names the field, such as ``messages[2].role``, and says what is wrong with it.
    """
    fields = read_object(body)
    shape = read_shape(fields, RequestShape)
    unread = {name: value for name, value in fields.items() if name not in _KNOWN}
    metadata = shape.metadata or {}
    session = metadata.get("session_id")
    request = Request(
        model=shape.model,
        messages=tuple(_message(message, f"messages[{i}]") for i, message in enumerate(shape.messages)),
        params=_params(shape, unread),
        tools=tuple(
            Tool(
                name=tool.function.name,
                description=tool.function.description or "",
                parameters=tool.function.parameters or {},
                strict=tool.function.strict,
            )
            for tool in shape.tools or ()
        ),
        tool_choice=shape.tool_choice,
        n=shape.n or 1,
        stream=bool(shape.stream),
        wire=NAME,
        unread=unread,
        variables=shape.variables or {},
        lineage=Lineage(user_id=shape.user, session_id=session if isinstance(session, str) else None),
        attributes={"metadata": metadata} if metadata else {},
    )
    usage = bool(shape.stream_options and shape.stream_options.include_usage)
    return Read(request, include_usage=usage)


def encode_request(
    request: Request,
    *,
    stream: bool,
    model: str | None = None,
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
) -> Encoded:
    """Write a request. A streamed reply is asked for with its token count.

    ``metadata`` goes along only where the caller asked the provider to ``store`` the call: without it OpenAI refuses
    the field. Fields in ``extra`` and ``unread`` never replace those that Noria sets itself.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    params, carrying = request.params, Carrying(request, "a Chat Completions server")
    body: dict[str, Any] = carrying.foreign(NAME, request) | params.extra
    body["model"] = model or request.model
    body["messages"] = [_message_out(message) for message in request.messages]
    body.update((name, value) for name in _CARRIED_ALIKE if (value := getattr(params, name)) is not None)
    if params.max_tokens is not None:
        body[limit_field] = params.max_tokens
    if params.stop:
        body["stop"] = params.stop
    if params.response_schema is not None:
        wanted = {"name": "reply", "schema": params.response_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    if request.tools:
        body["tools"] = [_tool_out(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = request.tool_choice
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
        headers=dict(request.headers) if request.wire == NAME else {},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def _params(shape: RequestShape, unread: dict[str, Any]) -> Parameters:
    """Decoding parameters; takes what it understands out of ``unread``."""
    limit, newer = shape.max_tokens, shape.max_completion_tokens
    if limit is not None and newer is not None and limit != newer:
        raise InvalidInput(f"`max_tokens` ({limit}) and `max_completion_tokens` ({newer}) differ; send one of them.")
    schema = _strict_schema(unread.get("response_format"))
    if schema is not None:
        del unread["response_format"]
    return Parameters(
        temperature=shape.temperature,
        top_p=shape.top_p,
        max_tokens=newer if limit is None else limit,
        stop=(shape.stop,) if isinstance(shape.stop, str) else tuple(shape.stop or ()),
        seed=shape.seed,
        presence_penalty=shape.presence_penalty,
        frequency_penalty=shape.frequency_penalty,
        response_schema=schema,
    )


def _strict_schema(response_format: Any) -> dict[str, Any] | None:
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": dict(schema), "strict": True}}:
            return schema
    return None


def _message(shape: MessageShape, at: str) -> Message:
    for field in ("audio", "function_call"):
        if getattr(shape, field):
            raise InvalidInput(f"`{at}.{field}` is not supported; nothing was sent.")
    content: str | tuple[Part, ...]
    if isinstance(shape.content, list):
        content = tuple(_part(part, f"{at}.content[{i}]") for i, part in enumerate(shape.content))
    else:
        content = shape.content or ""
    return Message(
        role=shape.role,
        content=content,
        name=shape.name,
        tool_calls=tuple(_tool_call(c, f"{at}.tool_calls[{i}]") for i, c in enumerate(shape.tool_calls or ())),
        tool_call_id=shape.tool_call_id,
        reasoning=shape.reasoning_content or "",
        refusal=shape.refusal or "",
    )


def _tool_call(call: ToolCallShape, at: str) -> ToolCall:
    if call.type not in {None, "function"}:
        raise InvalidInput(f"`{at}.type` is {call.type!r}; only `function` is supported.")
    if not call.function.name:
        raise InvalidInput(f"`{at}.function.name` is missing.")
    return ToolCall(id=call.id or "", name=call.function.name, arguments=call.function.arguments or "")


def _part(part: dict[str, Any], at: str) -> Part:
    """A content part; one with any field that the nouns lack (``cache_control``, say) is kept whole."""
    match part:
        case {"type": "text", "text": str(text)} if len(part) == 2:
            return TextPart(text=text)
        case {"type": "image_url", "image_url": {"url": str(url), **rest}} if len(part) == 2:
            match rest:
                case {"detail": str(detail)} if len(rest) == 1:
                    return ImagePart(url=url, detail=detail)
                case {} if not rest:
                    return ImagePart(url=url)
        case {"type": "text"} if not isinstance(part.get("text"), str):
            raise InvalidInput(f"`{at}.text` must be a text.")
    if not isinstance(part.get("type"), str):
        raise InvalidInput(f"`{at}.type` must name the kind of the part, such as `text`.")
    return OtherPart(data=part)


def _message_out(message: Message) -> dict[str, Any]:
    content: Any = message.content
    if isinstance(content, tuple):
        content = [_part_out(part) for part in content]
    out: dict[str, Any] = {"role": message.role, "content": content}
    if message.name is not None:
        out["name"] = message.name
    if message.tool_calls:
        out["content"] = content or None
        out["tool_calls"] = [tool_call_out(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    if message.reasoning:
        out["reasoning_content"] = message.reasoning
    if message.refusal:
        out["refusal"] = message.refusal
    return out


def tool_call_out(call: ToolCall) -> dict[str, Any]:
    """A tool call of a message, in requests and replies alike."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _part_out(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            detail = {} if part.detail is None else {"detail": part.detail}
            return {"type": "image_url", "image_url": {"url": part.url, **detail}}
        case OtherPart():
            return part.data
        case FilePart():
            return {"type": "file", "file": {"file_data": part.url, **({"filename": part.name} if part.name else {})}}
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case BlobPart():
            raise InvalidInput(
                f"A part of {part.bytes:,} bytes was moved out of its record, and can't be sent from there.",
                hint=f"Fetch blob {part.sha256} and send what it holds.",
            )


def _tool_out(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}
