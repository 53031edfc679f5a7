"""Requests on the wire: the body of ``POST /converse``, the same for ``/converse-stream``."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from noria.core.requests import Parameters, Request, Tool
from noria.wires.bedrock.blocks import Block, blocks_of, cache_point, result_block, said_blocks
from noria.wires.carrying import Carrying
from noria.wires.effort import effort_of
from noria.wires.wire import Encoded
from noria.wires.worded import worded

NAME = "bedrock"
"""The dialect's name."""


def encode_request(request: Request, *, stream: bool, model: str) -> Encoded:
    """Write a request.

    Messages of one role in a row become one, since Converse wants the roles to take turns. What only some models take
    (``top_k``, a budget of thinking) goes into a variant's ``extra`` as ``additionalModelRequestFields``.

    Raises:
        InvalidInput: it asks for what the wire can't carry.
    """
    carrying, params = Carrying(request, "Bedrock"), request.params
    _refuse_what_is_lacking(request, carrying)
    if params.response_json and params.response_schema is None:
        carrying.emulates("response_json")
        request = worded(request)
    body: dict[str, Any] = carrying.foreign(NAME, request) | params.extra
    system, messages = _conversation(request, carrying)
    body["messages"] = messages
    if system:
        body["system"] = system
    if inference := _inference(params):
        body["inferenceConfig"] = inference
    if tools := _tools(request, carrying):
        body["toolConfig"] = tools
    if output := _output(params):
        body["outputConfig"] = output
    return Encoded(
        path=f"/model/{quote(model, safe='')}/{'converse-stream' if stream else 'converse'}",
        body=msgspec.json.encode(body),
        headers={},
        dropped=carrying.dropped,
        emulated=carrying.emulated,
    )


def _refuse_what_is_lacking(request: Request, carrying: Carrying) -> None:
    params = request.params
    lacking = {
        "n": request.n != 1,
        "top_k": params.top_k is not None,
        "seed": params.seed is not None,
        "presence_penalty": bool(params.presence_penalty),
        "frequency_penalty": bool(params.frequency_penalty),
        "logprobs": params.logprobs is not None,
        "parallel_tools": params.parallel_tools is False,
    }
    for name, asked in lacking.items():
        if asked:
            carrying.cannot(name, "Converse has nothing like it")


def _conversation(request: Request, carrying: Carrying) -> tuple[list[Block], list[dict[str, Any]]]:
    """The system's blocks and the turns."""
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        if message.name is not None and message.role != "tool":
            carrying.cannot("name", "Converse's speakers have no names")
        if message.role in {"system", "developer"}:
            if turns:  # it has one place for all of them
                carrying.emulates("system")
            system += blocks_of(message, carrying)
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if message.role == "tool":
            blocks = [result_block(message, carrying)]
        else:
            blocks = (said_blocks if role == "assistant" else blocks_of)(message, carrying)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return system, turns


def _inference(params: Parameters) -> dict[str, Any]:
    given = {
        "maxTokens": params.max_tokens,
        "temperature": params.temperature,
        "topP": params.top_p,
        "stopSequences": params.stop or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _output(params: Parameters) -> dict[str, Any]:
    output: dict[str, Any] = {}
    if params.response_schema is not None:
        schema = {
            "schema": msgspec.json.encode(params.response_schema).decode(),
            "name": params.response_name or "reply",
        }
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    if (reasoning := params.reasoning) is not None:
        effort = reasoning.effort or (None if reasoning.tokens is None else effort_of(reasoning.tokens))
        if effort not in {None, "none"}:
            output["effort"] = effort
    return output


def _tools(request: Request, carrying: Carrying) -> dict[str, Any]:
    tools: list[Block] = []
    for tool in request.tools:
        if tool.hosted:
            carrying.cannot("tools", f"`{tool.hosted.get('type', tool.name)}` is run by another provider")
            continue
        tools.append({"toolSpec": _tool(tool)})
        if tool.cache:
            tools.append(cache_point(tool.cache))
    if not tools:
        return {}
    choice = request.tool_choice
    if choice == "none":
        if not any(message.tool_calls for message in request.messages):
            return {}  # not on offer is not called
        carrying.cannot("tool_choice", "Converse has no word for none once tools were called")
    elif request.forced_tool is not None:
        return {"tools": tools, "toolChoice": {"tool": {"name": request.forced_tool}}}
    elif choice == "required":
        return {"tools": tools, "toolChoice": {"any": {}}}
    elif choice not in (None, "auto"):
        carrying.cannot("tool_choice", "Converse knows auto, any and one function by its name")
    return {"tools": tools}


def _tool(tool: Tool) -> Block:
    spec: Block = {"name": tool.name, "inputSchema": {"json": tool.parameters or {"type": "object", "properties": {}}}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return spec
