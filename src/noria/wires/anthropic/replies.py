"""Replies that come in one piece: ``message`` objects, and the count of a prompt's tokens."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content
from noria.core.folding import fold
from noria.core.messages import ToolCall
from noria.core.replies import Choice, Reply
from noria.wires.anthropic.blocks import call_out, said_out
from noria.wires.anthropic.counts import usage_out
from noria.wires.anthropic.errors import decode_error_object
from noria.wires.anthropic.reasons import reason_out
from noria.wires.anthropic.seals import call_seal_out, thought_out
from noria.wires.anthropic.shapes import ReplyShape
from noria.wires.anthropic.told import Told

_reply_decoder = msgspec.json.Decoder(ReplyShape)


def decode_reply(body: bytes) -> Reply:
    """A reply that came in one piece.

    Raises:
        CallCut: it does not say why it stopped.
        CallFailed: the body is no message, or is an error object in spite of its status.
    """
    shape = _decoded(body)
    if shape.type != "message" or shape.content is None:
        raise CallGarbled("The provider sent something that is no Anthropic message.")
    if shape.stop_reason is None:
        raise CallCut("The provider's reply is not complete: it does not say why it stopped.")
    told = Told()
    events: list[Content] = list(told.started(shape))
    for index, block in enumerate(shape.content):
        events += told.opened(index, block)
        events += told.closed(index)
    events += told.stopped(shape.stop_reason, shape.stop_sequence, shape.stop_details)
    events += told.counted(None)
    return fold(events)


def encode_reply(reply: Reply, *, id: str) -> bytes:
    """``reply`` as a ``message`` object.

    Raises:
        CallCut: it has no finish reason. Half a reply never leaves as a whole one.
    """
    if not reply.complete or not reply.choices:
        raise CallCut("The reply ended before it was complete.")
    choice = reply.choices[0]
    called = bool(choice.message.tool_calls)
    body = {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": _content(choice),
        "stop_reason": reason_out(choice.finish_reason or "", choice.sequence, called=called),
        "stop_sequence": choice.sequence,
        "usage": usage_out(reply.usage),
    }
    return msgspec.json.encode(body)


def decode_count(body: bytes) -> int:
    """How many tokens a prompt has. Raises ``CallFailed``."""
    counted = _decoded(body).input_tokens
    if counted is None or not 0 <= counted < 2**63:
        raise CallGarbled("The provider sent something that is no count of tokens.")
    return counted


def _decoded(body: bytes) -> ReplyShape:
    try:
        shape = _reply_decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no Anthropic message: {error}.") from error
    if shape.error:
        raise decode_error_object(shape.error)
    return shape


def _content(choice: Choice) -> list[dict[str, Any]]:
    """The blocks of a reply: thinking in its places among text, what the provider's own tools did, and tool calls."""
    message = choice.message
    places: list[list[dict[str, Any]]] = []
    for piece in message.pieces:
        if isinstance(piece, ToolCall):
            seal = [call_seal_out(piece.signature)] if piece.signature else []
            places.append([*seal, call_out(piece)])
        else:
            places.append(list(said_out(piece)))
    if message.refusal:
        places.append([{"type": "text", "text": message.refusal}])
    thinking = [(thought.at, thought_out(thought)) for thought in message.thoughts]
    if message.reasoning and not thinking:
        thinking = [(0, {"type": "thinking", "thinking": message.reasoning, "signature": ""})]
    blocks: list[dict[str, Any]] = []
    for place in range(len(places) + 1):
        blocks += [block for at, block in thinking if at == place or (at > place == len(places))]
        blocks += places[place] if place < len(places) else []
    return blocks
