"""The texts of a request: everything in it that a model reads as words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from noria.core.messages import Message, Part, TextPart, ToolCall
from noria.core.requests import Request

Rewrite = Callable[[str, str, str], Awaitable[str]]
"""A text, its kind (``text``, ``reasoning``, ``refusal``, ``tool_call``) and who says it; returns what to put in its place."""


async def rewritten(request: Request, rewrite: Rewrite) -> Request:
    """The request with every text as ``rewrite`` returns it; the very same request where that changes nothing."""
    changes: dict[str, object] = {}
    messages = tuple([await _message(message, rewrite) for message in request.messages])
    if messages != request.messages:
        changes["messages"] = messages
    if request.embed is not None:
        inputs = tuple(
            [await rewrite(one, "text", "user") if isinstance(one, str) else one for one in request.embed.inputs]
        )
        changes["embed"] = msgspec.structs.replace(request.embed, inputs=inputs)
    if request.rank is not None:
        query = await rewrite(request.rank.query, "text", "user")
        documents = tuple([await rewrite(one, "text", "user") for one in request.rank.documents])
        changes["rank"] = msgspec.structs.replace(request.rank, query=query, documents=documents)
    return msgspec.structs.replace(request, **changes) if changes else request


async def _message(message: Message, rewrite: Rewrite) -> Message:
    role = message.role
    content: str | tuple[Part, ...]
    if isinstance(message.content, str):
        content = await rewrite(message.content, "text", role) if message.content else ""
    else:
        content = tuple([await _part(part, rewrite, role) for part in message.content])
    reasoning, thoughts = message.reasoning, message.thoughts
    if reasoning and (changed := await rewrite(reasoning, "reasoning", role)) != reasoning:
        reasoning, thoughts = changed, ()  # sealed blocks can't be changed, only left out
    refusal = await rewrite(message.refusal, "refusal", role) if message.refusal else ""
    calls = tuple([await _call(call, rewrite, role) for call in message.tool_calls])
    return msgspec.structs.replace(
        message, content=content, reasoning=reasoning, thoughts=thoughts, refusal=refusal, tool_calls=calls
    )


async def _part(part: Part, rewrite: Rewrite, role: str) -> Part:
    if not isinstance(part, TextPart):
        return part
    return msgspec.structs.replace(part, text=await rewrite(part.text, "text", role))


async def _call(call: ToolCall, rewrite: Rewrite, role: str) -> ToolCall:
    return msgspec.structs.replace(call, arguments=await rewrite(call.arguments, "tool_call", role))
