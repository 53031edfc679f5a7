"""Token counts: ``usageMetadata`` <-> :class:`noria.core.replies.Usage`.

Google counts thinking apart from the answer, and what its own tools read apart from the prompt; Noria counts all of them.
"""

from __future__ import annotations

from typing import Any

from noria.core.replies import Usage
from noria.wires.google.shapes import UsageShape


def read_usage(shape: UsageShape | None) -> Usage | None:
    """None where nobody counted. A number that no tokens can have is no count."""
    if shape is None or (prompt := _count(shape.prompt_token_count)) is None:
        return None
    thoughts = _count(shape.thoughts_token_count)
    return Usage(
        input_tokens=prompt + (_count(shape.tool_use_prompt_token_count) or 0),
        output_tokens=(_count(shape.candidates_token_count) or 0) + (thoughts or 0),
        cached_tokens=_count(shape.cached_content_token_count),
        reasoning_tokens=thoughts,
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    """Details only where they are known."""
    thoughts = usage.reasoning_tokens or 0
    out: dict[str, Any] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(0, usage.output_tokens - thoughts),
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_tokens is not None:
        out["cachedContentTokenCount"] = usage.cached_tokens
    if usage.reasoning_tokens is not None:
        out["thoughtsTokenCount"] = thoughts
    return out


def _count(tokens: int | None) -> int | None:
    """``tokens`` where it can be a number of tokens: from 0, and small enough for every store."""
    return tokens if tokens is not None and 0 <= tokens < 2**62 else None
