"""What the servers of one provider make of the wire."""

from __future__ import annotations

from typing import Literal

from noria.core.struct import Noun

NAME = "openai_chat"
"""The dialect's name."""

LimitField = Literal["max_tokens", "max_completion_tokens"]
Extension = Literal[
    "top_k", "cache_control", "reasoning_content", "reasoning_details", "thinking_blocks", "extra_content"
]
"""What compatible servers add to OpenAI's wire: ``top_k``; ``cache_control`` on parts and tools; earlier thinking sent
back as ``reasoning_content``, ``reasoning_details`` or ``thinking_blocks``; seals on tool calls in ``extra_content``."""


class Dialect(Noun):
    """How a provider's servers speak Chat Completions."""

    limit_field: LimitField = "max_tokens"
    """How they name the limit on generated tokens. OpenAI's reasoning models take only ``max_completion_tokens``; most
    compatible servers know only ``max_tokens``."""
    extensions: tuple[Extension, ...] = ("top_k", "reasoning_content")
    """What they take beside OpenAI's own fields. A caller of the same wire may send all of it, known to them or not."""
    schemas: bool = True
    """They hold replies to JSON schemas. Where they don't, a schema is asked for in words, and JSON by ``json_object``."""
