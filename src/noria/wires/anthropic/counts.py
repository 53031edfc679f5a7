"""Token counts. Anthropic counts what it read from the cache and wrote into it beside ``input_tokens``; Noria within."""

from __future__ import annotations

from typing import Any

from noria.core.replies import Usage
from noria.wires.anthropic.shapes import UsageShape

_MOST = 2**63 - 1


def usage_of(shape: UsageShape) -> Usage | None:
    """Token counts; None where nobody counted. A number that no tokens can have is no count."""
    fresh, generated = _count(shape.input_tokens), _count(shape.output_tokens)
    if fresh is None or generated is None:
        return None
    read, written = _count(shape.cache_read_input_tokens), _count(shape.cache_creation_input_tokens)
    details = shape.output_tokens_details
    return Usage(
        input_tokens=min(fresh + (read or 0) + (written or 0), _MOST),
        output_tokens=generated,
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=_count(details.thinking_tokens) if details else None,
    )


def usage_out(usage: Usage | None) -> dict[str, Any]:
    """Token counts. The wire has no word for "nobody counted", so that is zero."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    read, written = usage.cached_tokens, usage.cache_write_tokens
    out: dict[str, Any] = {
        "input_tokens": max(0, usage.input_tokens - (read or 0) - (written or 0)),
        "output_tokens": usage.output_tokens,
    }
    if read is not None:
        out["cache_read_input_tokens"] = read
    if written is not None:
        out["cache_creation_input_tokens"] = written
    if usage.reasoning_tokens is not None:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return out


def later(known: UsageShape, news: UsageShape) -> UsageShape:
    """The count so far, with what a later event says of it: its numbers are totals, and it need not repeat all."""
    return UsageShape(**{
        name: value if (value := getattr(news, name)) is not None else getattr(known, name)
        for name in UsageShape.__struct_fields__
    })  # fmt: skip


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens <= _MOST else None
