"""JSON asked for in words, where a dialect has no field for it. Whoever sends such a request has the reply checked."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from noria.core.messages import Message, TextPart
from noria.core.requests import Request


def worded(request: Request, *, say: Callable[[Request, str], Request] | None = None) -> Request:
    """``request`` with what its reply must look like said at the end of the system's words.

    The parameters stay as they are: whoever reads the reply needs them.

    Arguments:
        request: whose schema, or wish for JSON, is said.
        say: puts the words elsewhere.
    """
    schema = request.params.response_schema
    if schema is None:
        words = "Answer with one JSON object and nothing else: no explanation and no Markdown."
    else:
        written = msgspec.json.encode(schema).decode()
        words = (
            "Answer with one JSON value that satisfies this JSON Schema, and with nothing else: no explanation and no "
            f"Markdown.\n{written}"
        )
    return (say or with_system_words)(request, words)


def with_system_words(request: Request, words: str) -> Request:
    """``request`` with ``words`` at the end of its first system message, or in a new one where it has none."""
    for i, message in enumerate(request.messages):
        if message.role in {"system", "developer"} and isinstance(message.content, str):
            content = f"{message.content}\n\n{words}" if message.content else words
            said = msgspec.structs.replace(message, content=content)
            return msgspec.structs.replace(request, messages=(*request.messages[:i], said, *request.messages[i + 1 :]))
    return msgspec.structs.replace(request, messages=(Message(role="system", content=words), *request.messages))


def with_last_words(request: Request, words: str) -> Request:
    """``request`` with ``words`` at the end of its last message, for models that hear one voice alone."""
    *before, last = request.messages
    content = (
        f"{last.content}\n\n{words}"
        if isinstance(last.content, str)
        else (*last.content, TextPart(text=f"\n\n{words}"))
    )
    return msgspec.structs.replace(request, messages=(*before, msgspec.structs.replace(last, content=content)))
