"""Requests on the wire: the body of ``POST /responses``."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.requests import Lineage, Parameters, Reasoning, Request
from noria.wires.bodies import read_object, read_shape
from noria.wires.carrying import Carrying
from noria.wires.effort import effort_of
from noria.wires.openai_responses.items import items_out, messages_in
from noria.wires.openai_responses.shapes import RequestShape
from noria.wires.openai_responses.tools import tools_in, tools_out
from noria.wires.wire import Encoded

NAME = "openai_responses"
"""The dialect's name."""
STORED = "noria.response"
"""Attribute: what a response that can be asked for again is made of; absent where the caller said ``store: false``."""
_KNOWN = frozenset(RequestShape.__struct_fields__)
_LOGPROBS = "message.output_text.logprobs"
_SEALS = "reasoning.encrypted_content"
_UNNAMED = "reply"


def decode_request(body: bytes) -> Request:
    """Read a request's body.

    ``variables``, ``user`` and ``metadata`` are as on the Chat wire. ``instructions`` become the first message.
    ``previous_response_id`` stays in ``unread``: whoever keeps responses puts what was said before in its place. Seals of
    thinking come with every reply, asked for or not, so ``include`` need not ask other providers for them.

    Raises:
        InvalidInput: names the field, such as ``input[2].role``, and says what is wrong with it.
    """
    fields = read_object(body)
    shape = read_shape(fields, RequestShape)
    if shape.background:
        raise InvalidInput("`background` is not supported: the gateway answers a call while it is open.")
    unread = {name: value for name, value in fields.items() if name not in _KNOWN and value is not None}
    if unread.get("truncation") == "disabled":
        del unread["truncation"]
    included = [name for name in shape.include or () if name not in {_LOGPROBS, _SEALS}]
    if included:
        unread["include"] = included
    metadata = shape.metadata or {}
    session = metadata.get("session_id")
    user = shape.safety_identifier if shape.user is None else shape.user
    kept: dict[str, Any] = {"metadata": metadata} if metadata else {}
    if _SEALS in (shape.include or ()):
        kept["include"] = [_SEALS]
    if shape.store is not False:
        kept[STORED] = msgspec.json.encode(_asked(shape, fields)).decode()
    return Request(
        model=shape.model,
        messages=(*_instructions(shape.instructions), *_input(shape.input)),
        params=_params(shape, unread),
        tools=tools_in(shape.tools or ()),
        tool_choice=shape.tool_choice,
        stream=bool(shape.stream),
        wire=NAME,
        unread=unread,
        variables=shape.variables or {},
        lineage=Lineage(user_id=user, session_id=session if isinstance(session, str) else None),
        attributes=kept,
    )


def _asked(shape: RequestShape, fields: dict[str, Any]) -> dict[str, Any]:
    """The caller's own words, for whoever asks for them again; all but ``variables`` and how to deliver the reply."""
    items = (
        [{"type": "message", "role": "user", "content": shape.input}] if isinstance(shape.input, str) else shape.input
    )
    left_out = {"variables", "stream", "stream_options", "store", "include"}
    return {name: value for name, value in fields.items() if name not in left_out} | {"input": items or []}


def _instructions(instructions: str | None) -> tuple[Message, ...]:
    return () if instructions is None else (Message(role="system", content=instructions),)


def _input(given: str | list[dict[str, Any]] | None) -> tuple[Message, ...]:
    if given is None:
        return ()
    return (Message(role="user", content=given),) if isinstance(given, str) else tuple(messages_in(given))


def encode_request(request: Request, *, stream: bool, model: str | None = None) -> Encoded:
    """Write a request.

    ``store: false`` goes along where the caller asked for it, and for calls that came by another wire: nobody could ask
    for what was stored. ``metadata`` goes where the response is stored.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    params, carrying = request.params, Carrying(request, "a Responses server")
    own = request.wire == NAME
    body: dict[str, Any] = carrying.foreign(NAME, request) | params.extra
    messages = request.messages
    if messages and messages[0].role == "system" and isinstance(messages[0].content, str):
        body["instructions"], messages = messages[0].content, messages[1:]
    body["model"] = model or request.model
    body["input"] = items_out(messages, carrying, own=own)
    for name in ("stop", "seed", "presence_penalty", "frequency_penalty", "top_k"):
        if getattr(params, name) not in (None, (), 0):
            carrying.cannot(name, "the Responses wire has no field for it")
    if request.n != 1:
        carrying.cannot("n", "a response is one answer")
    _params_out(params, body)
    tools_out(request, body, carrying, own=own)
    include = [*body.get("include", ()), *request.attributes.get("include", ())] if own else []
    if params.logprobs is not None:
        include.append(_LOGPROBS)
    if include:
        body["include"] = include
    if not own or STORED not in request.attributes:
        body["store"] = False
    elif "metadata" in request.attributes:
        body["metadata"] = request.attributes["metadata"]
    if request.lineage.user_id is not None:
        body["user"] = request.lineage.user_id
    body["stream"] = stream
    return Encoded(
        path="/responses",
        body=msgspec.json.encode(body),
        headers=dict(request.headers) if own else {},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def _params(shape: RequestShape, unread: dict[str, Any]) -> Parameters:
    """Decoding parameters; puts what it has no noun for into ``unread``."""
    text = dict(shape.text or {})
    wanted: dict[str, Any] = {}
    match form := text.pop("format", None):
        case None | {"type": "text"}:
            pass
        case {"type": "json_object"} if len(form) == 1:
            wanted = {"response_json": True}
        case {"type": "json_schema", "schema": dict(schema), **rest} if not rest.keys() - {"name", "strict"}:
            name, strict = rest.get("name"), rest.get("strict")
            if not isinstance(name, str | None) or not isinstance(strict, bool | None):
                raise InvalidInput("`text.format` is wrong: `name` is a text and `strict` true or false.")
            name = None if name == _UNNAMED else name
            wanted = {"response_schema": schema, "response_name": name, "response_strict": strict is not False}
        case _:
            text["format"] = form
    if text := {name: value for name, value in text.items() if value is not None}:
        unread["text"] = text
    logprobs = _LOGPROBS in (shape.include or ()) or bool(shape.top_logprobs)
    return Parameters(
        temperature=shape.temperature,
        top_p=shape.top_p,
        max_tokens=shape.max_output_tokens,
        logprobs=(shape.top_logprobs or 0) if logprobs else None,
        parallel_tools=shape.parallel_tool_calls,
        reasoning=_reasoning(shape),
        **wanted,
    )


def _reasoning(shape: RequestShape) -> Reasoning | None:
    words = shape.reasoning
    if words is None or not (words.effort or words.summary or words.generate_summary):
        return None
    return Reasoning(effort=words.effort, shown=True if words.summary or words.generate_summary else None)


def _params_out(params: Parameters, body: dict[str, Any]) -> None:
    named = {"temperature": params.temperature, "top_p": params.top_p, "max_output_tokens": params.max_tokens}
    body.update((name, value) for name, value in named.items() if value is not None)
    if params.logprobs:
        body["top_logprobs"] = params.logprobs
    form: dict[str, Any] = {}
    if params.response_schema is not None:
        form = {
            "type": "json_schema",
            "name": params.response_name or _UNNAMED,
            "schema": params.response_schema,
            "strict": params.response_strict,
        }
    elif params.response_json:
        form = {"type": "json_object"}
    if form:
        body["text"] = body.get("text", {}) | {"format": form}
    if (reasoning := params.reasoning) is not None:
        effort = reasoning.effort if reasoning.tokens is None else reasoning.effort or effort_of(reasoning.tokens)
        words = {"effort": effort, "summary": "auto" if reasoning.shown else None}
        if told := {name: value for name, value in words.items() if value is not None}:
            body["reasoning"] = told
