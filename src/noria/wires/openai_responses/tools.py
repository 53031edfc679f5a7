"""Tools on offer, and which of them is to be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noria.core.errors import InvalidInput
from noria.core.requests import Request, Tool
from noria.wires.bodies import read_shape
from noria.wires.carrying import Carrying
from noria.wires.openai_chat.shapes import FunctionShape


def tools_in(tools: Sequence[dict[str, Any]]) -> tuple[Tool, ...]:
    """Functions, and whole what is none: custom tools, and those that OpenAI runs by itself."""
    return tuple(_tool_in(tool, f"tools[{i}]") for i, tool in enumerate(tools))


def _tool_in(tool: dict[str, Any], at: str) -> Tool:
    kind = tool.get("type")
    if not isinstance(kind, str):
        raise InvalidInput(f"`{at}.type` must name the kind of the tool, such as `function`.")
    if kind != "function":
        name = tool.get("name")
        return Tool(name=name if isinstance(name, str) else kind, hosted=tool)
    function = read_shape(tool, FunctionShape, at=at)
    return Tool(
        name=function.name,
        description=function.description or "",
        parameters=function.parameters or {},
        strict=function.strict,
    )


def tools_out(request: Request, body: dict[str, Any], carrying: Carrying, *, own: bool) -> None:
    """Write the tools and the choice among them into ``body``; ``own`` where they came by this wire."""
    tools = (_tool_out(tool, carrying, own=own) for tool in request.tools)
    if request.tools:
        body["tools"] = [tool for tool in tools if tool is not None]
        if request.params.parallel_tools is not None:
            body["parallel_tool_calls"] = request.params.parallel_tools
    if request.tool_choice is not None:
        forced = None if own else request.forced_tool
        body["tool_choice"] = request.tool_choice if forced is None else {"type": "function", "name": forced}


def _tool_out(tool: Tool, carrying: Carrying, *, own: bool) -> dict[str, Any] | None:
    if tool.hosted:
        if own:
            return tool.hosted
        carrying.cannot(str(tool.hosted.get("type") or tool.name), "only the provider whose tool it is can run it")
        return None
    if tool.cache is not None:
        carrying.emulates("cache")
    described = {"description": tool.description} if tool.description else {}
    # Responses holds arguments to the schema where nobody says otherwise; other wires do not.
    strict = {} if own and tool.strict is None else {"strict": bool(tool.strict)}
    return {"type": "function", "name": tool.name, **described, "parameters": tool.parameters, **strict}
