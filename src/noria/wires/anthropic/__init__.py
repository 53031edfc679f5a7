"""The Anthropic Messages wire, both directions.

Source: https://docs.anthropic.com/en/api/messages, and the types of Anthropic's Python SDK.

    incoming.py   a caller's body of POST /v1/messages   ->  Request
    outgoing.py   Request                                ->  the body that a provider gets
    blocks.py     blocks of content                      <-> parts, tool calls
    citations.py, documents.py, marks.py   what a text rests on, files, cache_control, both ways
    seals.py      seals of other providers' thinking, in fields that this wire sends back
    thinking.py   thinking, output_config.effort         <-> Reasoning
    replies.py    message object                         <-> Reply
    stream.py     message_start .. message_stop           -> Event;  writer.py: the other way
    told.py       what the blocks of a reply mean, whole or in pieces
    reasons.py    stop_reason                            <-> finish reason
    counts.py     usage                                  <-> Usage
    models.py     the list of models
    errors.py     {"type": "error", ...} object          <-> NoriaError
    shapes.py     the fields both directions know
    client.py     the wire as a client's targets see it
    server.py     the wire as the gateway sees it
"""

from noria.wires.anthropic.blocks import SHOWS
from noria.wires.anthropic.client import Anthropic
from noria.wires.anthropic.errors import decode_error, encode_error
from noria.wires.anthropic.incoming import NAME, decode_request
from noria.wires.anthropic.models import encode_model, encode_models
from noria.wires.anthropic.replies import decode_reply, encode_reply
from noria.wires.anthropic.server import CountTokens, Messages
from noria.wires.anthropic.stream import StreamDecoder
from noria.wires.anthropic.writer import StreamEncoder

__all__ = [
    "NAME",
    "SHOWS",
    "Anthropic",
    "CountTokens",
    "Messages",
    "StreamDecoder",
    "StreamEncoder",
    "decode_error",
    "decode_reply",
    "decode_request",
    "encode_error",
    "encode_model",
    "encode_models",
    "encode_reply",
]
