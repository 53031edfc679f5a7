"""Sealed thinking: ``reasoning_details`` on a message, and the seal on a tool call.

OpenAI's Chat wire has no place for it. Of those that compatible servers have made, OpenRouter's ``reasoning_details``
holds all kinds of seals (https://openrouter.ai/docs/use-cases/reasoning-tokens), and Google's own
``extra_content.google.thought_signature`` the seal on a tool call (https://ai.google.dev/gemini-api/docs/openai). A
caller sends both back as they came. LiteLLM's ``thinking_blocks`` are read too, and written where a provider takes them.

``at`` is Noria's addition to ``reasoning_details``: how many parts and tool calls come before the block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from noria.core.events import ThoughtDelta
from noria.core.messages import Thought


def thoughts_in(details: Sequence[dict[str, Any]] | None, blocks: Sequence[dict[str, Any]] | None) -> list[Thought]:
    """``reasoning_details``, or else ``thinking_blocks``, of a whole message."""
    if details:
        return [_thought(detail) for detail in details]
    return [_block_in(block) for block in blocks or ()]


def _thought(detail: dict[str, Any]) -> Thought:
    index, text = thought_delta(detail, 0)
    at = detail.get("at")
    return Thought(
        text=text,
        signature=index.signature,
        redacted=index.redacted,
        id=index.id,
        format=index.format,
        at=at if isinstance(at, int) and at >= 0 else 0,
    )


def thought_delta(detail: dict[str, Any], place: int) -> tuple[ThoughtDelta, str]:
    """A block, or a piece of one, and its text; ``place`` is its place in the list, where it has no index of its own."""
    index = detail.get("index")
    data = detail.get("data")
    signature = data if isinstance(data, str) else detail.get("signature")
    text = detail.get("text") or detail.get("summary")
    delta = ThoughtDelta(
        index=index if isinstance(index, int) and index >= 0 else place,
        signature=signature if isinstance(signature, str) else "",
        redacted=detail.get("type") == "reasoning.encrypted",
        id=_text(detail.get("id")),
        format=_text(detail.get("format")),
    )
    return delta, _text(text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def details_out(thoughts: Iterable[Thought]) -> list[dict[str, Any]]:
    """``thoughts`` as ``reasoning_details``."""
    return [
        detail_out(
            ThoughtDelta(
                index=index,
                signature=thought.signature,
                redacted=thought.redacted,
                id=thought.id,
                format=thought.format,
            ),
            thought.text,
        )
        | ({"at": thought.at} if thought.at else {})
        for index, thought in enumerate(thoughts)
    ]


def detail_out(block: ThoughtDelta, text: str) -> dict[str, Any]:
    """A block, or a piece of one."""
    if block.redacted:
        detail: dict[str, Any] = {"type": "reasoning.encrypted", "data": block.signature}
    else:
        detail = {"type": "reasoning.text", "text": text}
        if block.signature:
            detail["signature"] = block.signature
    named = {name: value for name, value in (("id", block.id), ("format", block.format)) if value}
    return detail | named | {"index": block.index}


def _block_in(block: dict[str, Any]) -> Thought:
    if block.get("type") == "redacted_thinking":
        return Thought(signature=_text(block.get("data")), redacted=True)
    return Thought(text=_text(block.get("thinking")), signature=_text(block.get("signature")))


def blocks_out(thoughts: Iterable[Thought]) -> list[dict[str, Any]]:
    """``thoughts`` as LiteLLM's ``thinking_blocks``."""
    return [
        {"type": "redacted_thinking", "data": thought.signature}
        if thought.redacted
        else {"type": "thinking", "thinking": thought.text, "signature": thought.signature}
        for thought in thoughts
    ]


def seal_in(extra_content: Any) -> str:
    """The seal on a tool call."""
    match extra_content:
        case {"google": {"thought_signature": str(signature)}}:
            return signature
    return ""


def seal_out(signature: str) -> dict[str, Any]:
    """The seal as a field of a tool call."""
    return {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
