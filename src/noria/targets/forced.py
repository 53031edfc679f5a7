"""A call of a tool that must be made, where an engine takes the wish and forgets it.

llama.cpp ignores ``tool_choice: "required"`` without a word, but holds a reply to a JSON schema. So the tools are told in
words, the reply is bound to the schema of a call, and the JSON that comes is passed on as that call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallFailed, InvalidInput, NoriaError
from noria.core.events import Delta, Event, Sent, Started, Stopped, ToolCallDelta, Used, plain
from noria.core.protocols import Target
from noria.core.requests import Parameters, Request, Tool, request_id
from noria.targets.closing import called
from noria.targets.metering import Meter, noted
from noria.wires.worded import with_system_words


class _Call(msgspec.Struct):
    name: str
    arguments: msgspec.Raw


_decoder = msgspec.json.Decoder(_Call)


class Forced:
    """A target that calls the tool it is told to call.

    The reply is one call, and comes at once when it is complete. Requests that force nothing pass without a step between.

    Arguments:
        inner: what is called; it must hold replies to JSON schemas.
    """

    def __init__(self, inner: Target) -> None:
        self._inner = inner

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Call on.

        Raises:
            InvalidInput: the tool that must be called is not among the tools.
            CallFailed: the reply is no call.
        """
        if request.tool_choice != "required" and request.forced_tool is None:
            return self._inner.call(request)
        return self._forced(request)

    async def _forced(self, request: Request) -> AsyncGenerator[Event]:
        meter = Meter()
        try:
            async for event in self._called(request, meter):
                yield event
        except NoriaError:
            if spent := meter.broken():
                yield noted(spent)
            raise

    async def _called(self, request: Request, meter: Meter) -> AsyncGenerator[Event]:
        inside = _asked_for(request, _offered(request))
        texts: dict[int, list[str]] = {}
        counted: list[Used] = []
        reply_id = ""
        async with called(self._inner, inside) as events:
            async for outer in events:
                meter.take(outer)
                for event in plain(outer):
                    match event:
                        case Sent():
                            yield _as_it_was(event, request)
                        case Started():
                            reply_id = event.id
                            yield event
                        case Delta():
                            texts.setdefault(event.index, []).append(event.text)
                            rest = msgspec.structs.replace(event, text="", logprobs=None)
                            if rest != Delta(index=event.index):
                                yield rest
                        case Stopped():
                            call = _called("".join(texts.get(event.index, ())), event, reply_id)
                            yield Delta(index=event.index, tool_calls=(call,))
                            yield Stopped(index=event.index, reason="tool_calls")
                        case Used():
                            counted.append(event)
                        case _:
                            yield event
        for last in counted:
            yield last


def _offered(request: Request) -> tuple[Tool, ...]:
    forced = request.forced_tool
    tools = tuple(tool for tool in request.tools if forced is None or tool.name == forced)
    if not tools:
        raise InvalidInput(
            f"`tool_choice` names `{forced}`, which is not among the tools."
            if forced
            else "`tool_choice` asks for the call of a tool, and there is none."
        )
    return tools


def _asked_for(request: Request, tools: tuple[Tool, ...]) -> Request:
    """The request as the engine gets it: no tools, their description in words, and the schema of a call."""
    listed = "\n".join(
        msgspec.json.encode(
            {"name": tool.name, "description": tool.told, "parameters": tool.parameters or {"type": "object"}}
        ).decode()
        for tool in tools
    )
    words = (
        "Call one of these functions. Answer with one JSON object that has the function's `name` and its `arguments`, "
        f"and with nothing else.\n{listed}"
    )
    schema = {"anyOf": [_call_schema(tool) for tool in tools]} if len(tools) > 1 else _call_schema(tools[0])
    params = msgspec.structs.replace(request.params, response_schema=schema, response_json=False)
    changed = msgspec.structs.replace(request, tools=(), tool_choice=None, params=_whole(params))
    return with_system_words(changed, words)


def _whole(params: Parameters) -> Parameters:
    """A schema binds only as long as nothing ends the reply before its time."""
    return msgspec.structs.replace(params, stop=(), parallel_tools=None)


def _call_schema(tool: Tool) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": tool.parameters or {"type": "object"}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _as_it_was(sent: Sent, request: Request) -> Sent:
    """On record is what was asked, by which it is found again."""
    asked = msgspec.structs.replace(
        sent.request,
        messages=request.messages,
        params=request.params,
        tools=request.tools,
        tool_choice=request.tool_choice,
    )
    return msgspec.structs.replace(
        sent, request=asked, request_id=request_id(asked), emulated=(*sent.emulated, "tool_choice")
    )


def _called(text: str, stopped: Stopped, reply_id: str) -> ToolCallDelta:
    try:
        call = _decoder.decode(text.encode())
    except UNREADABLE as error:
        raise CallFailed(
            f"The model was to call a tool, and answered something else: {error}.",
            hint="Raise `max_tokens`: they were used up." if stopped.reason == "length" else "",
            retryable=stopped.reason != "length",
        ) from None
    id = f"call_{reply_id or 'forced'}_{stopped.index}"
    return ToolCallDelta(index=0, id=id, name=call.name, arguments=bytes(call.arguments).decode())
