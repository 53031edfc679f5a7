"""Tools on offer, and which of them is to be called."""

from __future__ import annotations

from typing import Any

from noria.core.errors import InvalidInput
from noria.core.requests import Request, Tool
from noria.wires.bodies import read_shape
from noria.wires.carrying import Carrying
from noria.wires.openai_chat.dialect import Dialect
from noria.wires.openai_chat.parts import cache_in, cache_out
from noria.wires.openai_chat.shapes import FunctionCall, FunctionShape, RequestShape, ToolShape


def tools_in(shape: RequestShape) -> tuple[Tool, ...]:
    """What is on offer: functions, and whole what is none."""
    if shape.tools is None and shape.functions is None:
        return ()
    if shape.functions is not None:
        return tuple(_function_in(function) for function in shape.functions)
    return tuple(_tool_in(tool, f"tools[{i}]") for i, tool in enumerate(shape.tools or ()))


def tools_out(request: Request, body: dict[str, Any], dialect: Dialect, carrying: Carrying, *, own: bool) -> None:
    """Write the tools and the choice among them into ``body``; ``own`` as for a message."""
    if request.tools:
        taken = own or "cache_control" in dialect.extensions
        tools = (_tool_out(tool, carrying, own=own, cache=taken) for tool in request.tools)
        body["tools"] = [tool for tool in tools if tool is not None]
        if request.params.parallel_tools is not None:
            body["parallel_tool_calls"] = request.params.parallel_tools
    if request.tool_choice is not None:
        body["tool_choice"] = _choice_out(request, own=own)


def _tool_in(tool: dict[str, Any], at: str) -> Tool:
    kind = tool.get("type", "function")
    if kind != "function":  # a custom tool, or one that the server runs by itself
        inner = tool.get(kind) if isinstance(kind, str) else None
        name = inner.get("name") if isinstance(inner, dict) else kind
        if not isinstance(name, str):
            raise InvalidInput(f"`{at}.type` must name the kind of the tool, such as `function`.")
        return Tool(name=name, hosted=tool)
    shape = read_shape(tool, ToolShape, at=at)
    return _function_in(shape.function, shape.cache_control)


def _function_in(function: FunctionShape, cache: dict[str, Any] | None = None) -> Tool:
    return Tool(
        name=function.name,
        description=function.description or "",
        parameters=function.parameters or {},
        strict=function.strict,
        cache=cache_in(cache),
    )


def _tool_out(tool: Tool, carrying: Carrying, *, own: bool, cache: bool) -> dict[str, Any] | None:
    if tool.hosted:
        if own:
            return tool.hosted
        carrying.cannot(str(tool.hosted.get("type") or tool.name), "only the provider whose tool it is can run it")
        return None
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if told := tool.told:
        function["description"] = told
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function, **cache_out(tool.cache, carrying, taken=cache)}


def choice_in(shape: RequestShape) -> str | dict[str, Any] | None:
    """Which tool is to be called."""
    if shape.function_call is None:
        return shape.tool_choice
    if isinstance(shape.function_call, FunctionCall):
        return {"type": "function", "function": {"name": shape.function_call.name or ""}}
    return shape.function_call


def _choice_out(request: Request, *, own: bool) -> str | dict[str, Any] | None:
    """The choice in this wire's words; the object of another wire is rewritten where it names one function."""
    if not own and request.forced_tool is not None:
        return {"type": "function", "function": {"name": request.forced_tool}}
    return request.tool_choice
