"""A caller's request: the body of ``POST /v1/messages`` as a :class:`Request`.

Nothing that a caller sends is lost in silence: top-level fields without a noun stay in ``Request.unread``, blocks of
content without one stay whole in ``OtherPart``, tools that say more than a function does in ``Tool.hosted``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import (
    CacheLife,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    Part,
    TextPart,
    Thought,
    ToolCall,
    parted,
)
from noria.core.requests import Lineage, Parameters, Request, Tool
from noria.wires.anthropic.blocks import call_in, part_in
from noria.wires.anthropic.marks import cache_in, cache_out
from noria.wires.anthropic.seals import call_seal_in, thought_in
from noria.wires.anthropic.shapes import MessageShape, RequestShape
from noria.wires.anthropic.thinking import reasoning_in
from noria.wires.bodies import Body

NAME = "anthropic"
"""The dialect's name."""
_BODY = Body(RequestShape)
_EFFORT = frozenset({"effort", "format"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})
_FUNCTION = frozenset(
    {"type", "name", "description", "input_schema", "cache_control", "strict", "eager_input_streaming"}
)


def decode_request(body: bytes, *, counting: bool = False) -> Request:
    """Read a request's body.

    ``metadata.user_id`` becomes the lineage's user id. Noria's own fields are ``variables``, values for an app's prompt
    template, and ``metadata.session_id``, the lineage's session id.

    Arguments:
        counting: only the prompt's tokens are asked for, so that there need be no ``max_tokens``.

    Raises:
        InvalidInput: names the field, such as ``messages[2].role``, and says what is wrong with it.
    """
    shape, unread = _BODY.read(body)
    if shape.max_tokens is None and not counting:
        raise InvalidInput("`max_tokens` is missing.")
    messages = [message for i, turn in enumerate(shape.messages) for message in _turn(turn, f"messages[{i}]")]
    if shape.system:
        messages.insert(0, Message(role="system", content=_plain_or_parts(_parts(shape.system, "system"))))
    choice, parallel = _tool_choice(shape.tool_choice)
    metadata = shape.metadata or {}
    session, user = metadata.get("session_id"), metadata.get("user_id")
    return Request(
        model=shape.model,
        messages=tuple(messages),
        params=_params(shape, unread, parallel),
        tools=tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(shape.tools or ())),
        tool_choice=choice,
        stream=bool(shape.stream) and not counting,
        wire=NAME,
        unread=unread,
        variables=shape.variables or {},
        lineage=Lineage(
            user_id=user if isinstance(user, str) else None, session_id=session if isinstance(session, str) else None
        ),
        attributes={"metadata": metadata} if metadata else {},
    )


def _params(shape: RequestShape, unread: dict[str, Any], parallel: bool | None) -> Parameters:
    """Decoding parameters; what they can't hold goes into ``unread``."""
    output = shape.output_config or {}
    if rest := {name: value for name, value in output.items() if name not in _EFFORT}:
        unread["output_config"] = rest
    effort = output.get("effort")
    if effort is not None and not isinstance(effort, str):
        raise InvalidInput("`output_config.effort` must be a text.")
    reasoning = reasoning_in(shape.thinking, effort)
    if shape.thinking is not None and (reasoning is None or reasoning.tokens is None):
        unread["thinking"] = shape.thinking
    return Parameters(
        temperature=shape.temperature,
        top_p=shape.top_p,
        top_k=shape.top_k,
        max_tokens=shape.max_tokens,
        stop=tuple(shape.stop_sequences or ()),
        response_schema=_schema(output.get("format"), "output_config.format")
        or _schema(shape.output_format, "output_format"),
        parallel_tools=parallel,
        reasoning=reasoning,
    )


def _schema(format: Any, at: str) -> dict[str, Any] | None:
    match format:
        case None:
            return None
        case {"type": "json_schema", "schema": dict(schema)}:
            return schema
    raise InvalidInput(f'`{at}` must be {{"type": "json_schema", "schema": ...}}.')


def _tool_choice(choice: dict[str, Any] | None) -> tuple[str | dict[str, Any] | None, bool | None]:
    """The choice, and whether one reply may call several tools."""
    if choice is None:
        return None, None
    single = choice.get("disable_parallel_tool_use")
    if single is not None and not isinstance(single, bool):
        raise InvalidInput("`tool_choice.disable_parallel_tool_use` must be true or false.")
    parallel = None if single is None else not single
    match choice:
        case {"type": "tool", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}, parallel
        case {"type": str(kind)} if kind in _CHOICES:
            return _CHOICES[kind], parallel
    raise InvalidInput("`tool_choice.type` must be `auto`, `any`, `none`, or `tool` with a `name`.")


def _tool(tool: dict[str, Any], at: str) -> Tool:
    """A function; any other kind of tool, or one that says more than a function does, is kept whole beside its name."""
    kind, name = tool.get("type"), tool.get("name")
    if kind not in (None, "custom"):
        return Tool(name=name if isinstance(name, str) else str(kind), hosted=tool)
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"`{at}.name` must be a text." if "name" in tool else f"`{at}.name` is missing.")
    schema, description, strict = tool.get("input_schema"), tool.get("description"), tool.get("strict")
    eager = tool.get("eager_input_streaming")
    if not isinstance(schema, dict):
        raise InvalidInput(
            f"`{at}.input_schema` must be an object." if "input_schema" in tool else f"`{at}.input_schema` is missing."
        )
    if not isinstance(description, str | None) or not isinstance(strict, bool | None):
        raise InvalidInput(f"`{at}` is wrong: `description` is a text, `strict` true or false.")
    if not isinstance(eager, bool | None):
        raise InvalidInput(f"`{at}.eager_input_streaming` must be true or false.")
    return Tool(
        name=name,
        description=description or "",
        parameters=schema,
        strict=strict,
        eager=eager,
        cache=cache_in(tool, at),
        hosted=tool if tool.keys() - _FUNCTION else {},
    )


def _turn(shape: MessageShape, at: str) -> Iterator[Message]:
    """A turn as messages: a user's turn with results of tools is one message for each of them, and one for the rest."""
    if isinstance(shape.content, str):
        yield Message(role=shape.role, content=shape.content)
    elif shape.role == "assistant":
        yield _assistant(shape.content, at)
    else:
        parts: list[Part] = []
        results = 0
        for i, block in enumerate(shape.content):
            where = f"{at}.content[{i}]"
            if block.get("type") == "tool_result" and not block.keys() - _RESULT:
                if parts:
                    yield Message(role=shape.role, content=_plain_or_parts(parts))
                    parts = []
                results += 1
                yield _result(block, where)
            else:
                parts.append(part_in(block, where))
        if parts or not results:
            yield Message(role=shape.role, content=_plain_or_parts(parts))


def _result(block: dict[str, Any], at: str) -> Message:
    id, failed, content = block.get("tool_use_id"), block.get("is_error"), block.get("content")
    if not isinstance(id, str):
        raise InvalidInput(f"`{at}.tool_use_id` must be a text." if id else f"`{at}.tool_use_id` is missing.")
    if not isinstance(failed, bool | None):
        raise InvalidInput(f"`{at}.is_error` must be true or false.")
    parts = _parts("" if content is None else content, f"{at}.content")
    if (cache := cache_in(block, at)) is not None:  # the mark goes to the last part: the prompt up to there is the same
        parts = [*parts[:-1], _marked(parts[-1], cache)] if parts else [TextPart(text="", cache=cache)]
    return Message(role="tool", tool_call_id=id, tool_failed=bool(failed), content=_plain_or_parts(parts))


def _assistant(blocks: list[dict[str, Any]], at: str) -> Message:
    pieces: list[Part | ToolCall] = []
    thoughts: list[Thought] = []
    seal = ""
    for i, block in enumerate(blocks):
        where = f"{at}.content[{i}]"
        place = len(pieces)
        match block:
            case {"type": "thinking", "thinking": str(text), **rest}:
                signature = rest.get("signature")
                signature = signature if isinstance(signature, str) else ""
                thoughts.append(thought_in(text, signature, redacted=False, at=place))
            case {"type": "redacted_thinking", "data": str(data)}:
                if (of_call := call_seal_in(data)) is not None:
                    seal = of_call
                else:
                    thoughts.append(thought_in("", data, redacted=True, at=place))
            case {"type": "tool_use"} if (call := call_in(block, where)) is not None:
                pieces.append(_sealed(call, seal))
                seal = ""
            case _:
                pieces.append(part_in(block, where))
    parts, calls = parted(pieces)
    sealed = any(thought.signature or thought.id for thought in thoughts)
    return Message(
        role="assistant",
        content=_plain_or_parts(parts),
        tool_calls=calls,
        reasoning="".join(thought.text for thought in thoughts),
        thoughts=tuple(thoughts) if sealed else (),
    )


def _sealed(call: ToolCall, seal: str) -> ToolCall:
    if not seal:
        return call
    return msgspec.structs.replace(call, signature=seal)


def _marked(part: Part, cache: CacheLife) -> Part:
    """The part with the mark that stood on what it is the last part of."""
    match part:
        case TextPart() | ImagePart() | FilePart():
            return msgspec.structs.replace(part, cache=cache)
        case OtherPart():
            return OtherPart(data=part.data | cache_out(cache))
    return part


def _parts(content: Any, at: str) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(text=content)] if content else []
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise InvalidInput(f"`{at}` must be a text or a list of blocks.")
    return [part_in(block, f"{at}[{i}]") for i, block in enumerate(content)]


def _plain_or_parts(parts: Sequence[Part]) -> str | tuple[Part, ...]:
    """One plain text is a text, as most wires write it."""
    match parts:
        case []:
            return ""
        case [TextPart(citations=(), cache=None) as only]:
            return only.text
    return tuple(parts)
