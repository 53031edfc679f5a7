"""The little of ASGI that the gateway's raw path needs: types, reading a body, sending a response.

Source: the ASGI specification, version 3.0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from noria.core.errors import Cancelled, InvalidInput

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]


def headers_of(scope: Scope) -> dict[str, str]:
    """Request headers by lower-case name. Latin-1, as HTTP/1.1 has them; of repeated ones the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises:
        InvalidInput: it is larger than ``limit`` bytes; the rest is not read.
        Cancelled: the client went away.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Cancelled("The client went away before its request was complete.")
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise InvalidInput(f"The request body is larger than {limit:,} bytes.")
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


async def respond(send: Send, status: int, body: bytes, content_type: str, headers: Headers = ()) -> None:
    """Send a whole response."""
    fields = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
