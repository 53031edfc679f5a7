"""Chat requests on the wire: the body of ``POST /chat``."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import AudioPart, BlobPart, FilePart, ImagePart, Message, OtherPart, Part, TextPart, ToolCall
from noria.core.requests import Reasoning, Request, Tool
from noria.wires.carrying import CITATIONS, IS_ERROR, Carrying, elsewhere
from noria.wires.cohere.rerank import NAME
from noria.wires.effort import tokens_of
from noria.wires.wire import Encoded
from noria.wires.worded import worded

_CARRIED = {
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
"""Parameters with the same meaning, and Cohere's name for them."""
_CHOICES = {"required": "REQUIRED", "none": "NONE"}
_DOCUMENT = "document-"
"""Ids of the documents that a request brings: this and their number, from 0."""


def encode_chat(request: Request, *, stream: bool, model: str) -> Encoded:
    """Write a request.

    Text files become Cohere's ``documents``, which it cites by itself. One named function that must be called is put on
    offer alone, with ``REQUIRED``. ``strict`` holds for all tools or none, so one that asks for it brings it to all. A JSON
    schema goes along as it is, save beside tools or documents, where Cohere can't hold to it: then it is asked for in words.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    carrying = Carrying(request, "Cohere")
    _refuse_what_is_lacking(request, carrying)
    documents: list[dict[str, Any]] = []
    for message in request.messages:
        documents += _documents(message, len(documents), carrying)
    params = request.params
    by_words = bool(request.tools or documents) and (params.response_schema is not None or params.response_json)
    if by_words:
        carrying.emulates("response_schema" if params.response_schema is not None else "response_json")
        request = worded(request)
    body: dict[str, Any] = carrying.foreign(NAME, request) | params.extra
    body["model"] = model
    body["messages"] = [_message(message, carrying) for message in request.messages]
    body.update((theirs, value) for ours, theirs in _CARRIED.items() if (value := getattr(params, ours)) is not None)
    if params.stop:
        body["stop_sequences"] = params.stop
    if documents:
        body["documents"] = [*body.get("documents", ()), *documents]
    if not by_words and params.response_schema is not None:
        body["response_format"] = {"type": "json_object", "json_schema": params.response_schema}
    elif not by_words and params.response_json:
        body["response_format"] = {"type": "json_object"}
    if params.logprobs is not None:
        body["logprobs"] = True
    if params.reasoning is not None and (thinking := _thinking(params.reasoning)):
        body["thinking"] = thinking
    body.update(_tools(request, carrying))
    body["stream"] = stream
    return Encoded(
        path="/chat",
        body=msgspec.json.encode(body),
        headers={},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def document_number(id: str) -> int | None:
    """Which of the request's documents an id means, from 0."""
    number = id.removeprefix(_DOCUMENT)
    return int(number) if id.startswith(_DOCUMENT) and number.isdecimal() and len(number) < 10 else None


def _refuse_what_is_lacking(request: Request, carrying: Carrying) -> None:
    params = request.params
    if request.n != 1:
        carrying.cannot("n", "Cohere gives one choice")
    if params.logprobs:
        carrying.cannot("logprobs", "Cohere gives log-probabilities of the answer's tokens, without alternatives")
    if params.parallel_tools is False:
        carrying.cannot("parallel_tools", "Cohere's models call as many tools at once as they like")
    if _marks_cache(request):
        carrying.cannot("cache", "Cohere caches prompts by itself")


def _marks_cache(request: Request) -> bool:
    if any(tool.cache for tool in request.tools):
        return True
    return any(
        any(call.cache for call in message.tool_calls)
        or any(part.cache for part in message.content if isinstance(part, TextPart | ImagePart | FilePart))
        for message in request.messages
        if message.tool_calls or isinstance(message.content, tuple)
    )


def _tools(request: Request, carrying: Carrying) -> dict[str, Any]:
    tools = []
    for tool in request.tools:
        if tool.hosted:
            carrying.cannot("tools", f"`{tool.hosted.get('type', tool.name)}` is run by another provider")
        else:
            tools.append(tool)
    forced, choice = request.forced_tool, request.tool_choice
    if forced is not None:
        tools = [tool for tool in tools if tool.name == forced]
        if not tools:
            raise InvalidInput(f"`tool_choice` names `{forced}`, which is not among the tools.")
        choice = "required"
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]} if tools else {}
    if any(tool.strict for tool in tools):
        fields["strict_tools"] = True
    if isinstance(choice, str) and choice in _CHOICES:
        fields["tool_choice"] = _CHOICES[choice]
    elif choice not in (None, "auto"):
        carrying.cannot("tool_choice", "Cohere knows auto, none, required and one function by its name")
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    function: dict[str, Any] = {"name": tool.name, "parameters": parameters}
    if told := tool.told:
        function["description"] = told
    return {"type": "function", "function": function}


def _thinking(reasoning: Reasoning) -> dict[str, Any] | None:
    if reasoning.effort == "none" or reasoning.tokens == 0:
        return {"type": "disabled"}
    budget = reasoning.tokens if reasoning.tokens is not None else tokens_of(reasoning.effort or "")
    if budget is None and reasoning.effort is None:
        return None
    return {"type": "enabled"} if budget is None or budget < 0 else {"type": "enabled", "token_budget": budget}


def _message(message: Message, carrying: Carrying) -> dict[str, Any]:
    if message.name is not None and message.role != "tool":
        carrying.cannot("name", "Cohere's messages have no name of who speaks")
    match message.role:
        case "assistant":
            return _said(message, carrying)
        case "tool":
            if message.tool_failed:
                carrying.forgets("Cohere has no mark for it", IS_ERROR)
            return {
                "role": "tool",
                "tool_call_id": message.tool_call_id or "",
                "content": _content(message, carrying),
            }
        case "developer" | "system":
            return {"role": "system", "content": _content(message, carrying)}
        case "user":
            return {"role": "user", "content": _content(message, carrying)}


def _said(message: Message, carrying: Carrying) -> dict[str, Any]:
    """An assistant's turn. What it thought is its plan where it calls tools, and a block of its own where it does not."""
    if any(thought.redacted for thought in message.thoughts):
        carrying.forgets("thinking that its provider hides can be read by nobody else")
    thinking = message.reasoning or "".join(thought.text for thought in message.thoughts)
    text = message.text + message.refusal
    for part in () if isinstance(message.content, str) else message.content:
        if not isinstance(part, TextPart):
            _part(part, carrying)
        elif part.citations:
            carrying.forgets("Cohere takes back no citations", CITATIONS)
    out: dict[str, Any] = {"role": "assistant"}
    if message.tool_calls:
        out["tool_calls"] = [_call(call) for call in message.tool_calls]
        if thinking:
            out["tool_plan"] = thinking
        if text:
            out["content"] = text
    elif thinking:
        out["content"] = [{"type": "thinking", "thinking": thinking}, {"type": "text", "text": text}]
    else:
        out["content"] = text
    return out


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _content(message: Message, carrying: Carrying) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    parts = [_part(part, carrying, images=message.role == "user") for part in message.content]
    return [part for part in parts if part is not None] or ""


def _part(part: Part, carrying: Carrying, *, images: bool = False) -> dict[str, Any] | None:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart() if images:
            carrying.unnamed(part)
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": part.url, **detail}}
        case ImagePart():
            carrying.cannot("image", "Cohere reads images in a user's message alone")
        case FilePart():
            return None  # it is among the documents
        case AudioPart():
            carrying.cannot("audio", "Cohere does not hear")
        case OtherPart():
            carrying.cannot(str(part.data.get("type") or "part"))
        case BlobPart():
            raise elsewhere(part)
    return None


def _documents(message: Message, first: int, carrying: Carrying) -> list[dict[str, Any]]:
    """The text files of a message as Cohere's documents, numbered from ``first``."""
    if isinstance(message.content, str):
        return []
    found: list[dict[str, Any]] = []
    for part in message.content:
        if not isinstance(part, FilePart):
            continue
        text = _text_of(part)
        if text is None:
            carrying.cannot("file", "Cohere takes documents as text")
            continue
        data = {"text": text} | ({"title": part.name} if part.name else {})
        found.append({"id": f"{_DOCUMENT}{first + len(found)}", "data": data})
    return found


def _text_of(file: FilePart) -> str | None:
    """What a ``data:`` URL of text says; None where it is something else, or elsewhere."""
    head, comma, data = file.url.partition(",")
    if not (comma and head.lower().startswith("data:text/")):
        return None
    try:
        content = base64.b64decode(data, validate=True) if head.endswith(";base64") else unquote_to_bytes(data)
        return content.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
