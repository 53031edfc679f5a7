"""Seals of other providers, carried in the two fields that every Anthropic client sends back as they came.

A caller of this dialect may be answered by any model. What such a model needs back (OpenAI's id of a block of thinking,
Gemini's signature of a tool call), and whose it is, has no field here, so it goes into the signature of a thinking block, or into a block
of redacted thinking just before the call. Anthropic's own seals are never touched.
"""

from __future__ import annotations

from typing import Any

from noria.core.messages import Thought
from noria.wires import makers

_MARKED = "noria:"
_OF_CALL = "noria-call:"


def thought_out(thought: Thought) -> dict[str, Any]:
    """A block of thinking."""
    sealed = thought.signature
    if thought.id or not makers.may_be(thought.format, makers.ANTHROPIC):
        sealed = f"{_MARKED}{thought.format}/{thought.id}:{sealed}"
    if thought.redacted:
        return {"type": "redacted_thinking", "data": sealed}
    return {"type": "thinking", "thinking": thought.text, "signature": sealed}


def thought_in(text: str, sealed: str, *, redacted: bool, at: int) -> Thought:
    """What :func:`thought_out` wrote, or Anthropic did."""
    form, id = makers.ANTHROPIC if sealed else "", ""
    if sealed.startswith(_MARKED):
        named, _, sealed = sealed.removeprefix(_MARKED).partition(":")
        form, _, id = named.partition("/")
    return Thought(text=text, signature=sealed, redacted=redacted, id=id, format=form, at=at)


def call_seal_out(signature: str) -> dict[str, Any]:
    """The block that carries the seal of the tool call that comes next."""
    return {"type": "redacted_thinking", "data": _OF_CALL + signature}


def call_seal_in(data: str) -> str | None:
    """The seal of the tool call that comes next; None where the data is thinking."""
    return data.removeprefix(_OF_CALL) if data.startswith(_OF_CALL) else None
