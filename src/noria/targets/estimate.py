"""How many tokens a call will take, guessed before it is made: what limits reserve, and ceilings of cost compare.

The rule is simple, and errs on the high side for plain English, so that a limit is rarely overdrawn:

- a prompt: a token for each three bytes of text in UTF-8, four more for each message, and the JSON of tools and schema by
  the same rule; 1,000 for an image, 2,000 for another file or sound;
- the output: ``max_tokens`` where it is set, else 1,000, for each of ``n`` choices; none for embeddings, rankings and counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from noria.core.messages import ImagePart, Part, TextPart
from noria.core.replies import Usage
from noria.core.requests import Request

OUTPUT = 1000
"""Tokens that a reply is expected to have where the caller sets no limit."""
_BYTES_A_TOKEN = 3
_MESSAGE, _IMAGE, _FILE = 4, 1000, 2000


def expected_usage(request: Request) -> Usage:
    """The tokens that a call is expected to take."""
    return Usage(input_tokens=input_tokens(request), output_tokens=output_tokens(request))


def input_tokens(request: Request) -> int:
    """Prompt tokens of a request, by the rule above."""
    size, more = 0, _MESSAGE * len(request.messages)
    for message in request.messages:
        if isinstance(message.content, str):
            size += _size(message.content)
        else:
            bytes_, tokens = _parts(message.content)
            size += bytes_
            more += tokens
        if message.reasoning:
            size += _size(message.reasoning)
        for call in message.tool_calls:
            size += _size(call.name) + _size(call.arguments)
    if request.embed is not None:
        size += sum(
            _size(text) if isinstance(text, str) else len(text) * _BYTES_A_TOKEN for text in request.embed.inputs
        )
    if request.rank is not None:
        size += _size(request.rank.query) + sum(map(_size, request.rank.documents))
    if request.tools:
        size += len(msgspec.json.encode(request.tools))
    if request.params.response_schema is not None:
        size += len(msgspec.json.encode(request.params.response_schema))
    return -(-size // _BYTES_A_TOKEN) + more


def output_tokens(request: Request) -> int:
    """Generated tokens of a request, by the rule above."""
    if request.embed is not None or request.rank is not None or request.count:
        return 0
    most = request.params.max_tokens
    return (OUTPUT if most is None else max(0, most)) * max(1, request.n)


def said_tokens(size: int) -> int:
    """Tokens of so many characters that a reply had when it broke off."""
    return -(-size // _BYTES_A_TOKEN)


def _parts(parts: Iterable[Part]) -> tuple[int, int]:
    """Bytes of the texts, and tokens of all else."""
    size, more = 0, 0
    for part in parts:
        if isinstance(part, TextPart):
            size += _size(part.text)
        else:
            more += _IMAGE if isinstance(part, ImagePart) else _FILE
    return size, more


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
