"""Which functions are to be called: ``toolConfig.functionCallingConfig`` <-> ``Request.tool_choice``.

AUTO        auto                        NONE    none
ANY         required                    ANY, one allowed name    that function
ANY, VALIDATED, several allowed names   OpenAI's ``allowed_tools``, required or auto
"""

from __future__ import annotations

from typing import Any

from noria.core.requests import Request
from noria.wires.carrying import Carrying
from noria.wires.google.shapes import ChoosingShape

_MODES = {"AUTO": "auto", "NONE": "none", "ANY": "required"}
_WORDS = {word: mode for mode, word in _MODES.items()}


def read_choice(shape: ChoosingShape) -> str | dict[str, Any] | None:
    """``Request.tool_choice``; None for what it has no word for."""
    names = shape.allowed_function_names or []
    if shape.mode == "ANY" and len(names) == 1:
        return {"type": "function", "function": {"name": names[0]}}
    if names and shape.mode in {"ANY", "VALIDATED"}:
        tools = [{"type": "function", "function": {"name": name}} for name in names]
        mode = "required" if shape.mode == "ANY" else "auto"
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}
    return None if names else _MODES.get(shape.mode or "")


def write_choice(request: Request, carrying: Carrying) -> dict[str, Any] | None:
    """``functionCallingConfig``; None where Google is to choose.

    ``VALIDATED`` is Google's word for a choice of the model's own whose arguments hold to the schema, which is what
    ``strict`` asks for.
    """
    strict = any(tool.strict for tool in request.tools)
    match request.tool_choice:
        case None | "auto" if strict:
            return {"mode": "VALIDATED"}
        case None:
            return None
        case str(word) if word in _WORDS:
            return {"mode": _WORDS[word]}
        case {"allowed_tools": {"mode": str(mode), "tools": list(tools)}}:
            names = [name for tool in tools if (name := _name(tool))]
            return {"mode": "ANY" if mode == "required" else "VALIDATED", "allowedFunctionNames": names}
    if (name := request.forced_tool) is not None:
        return {"mode": "ANY", "allowedFunctionNames": [name]}
    carrying.cannot("tool_choice", "Gemini has no word for this choice")
    return None


def _name(tool: Any) -> str | None:
    match tool:
        case {"function": {"name": str(name)}} | {"name": str(name)}:
            return name
    return None
