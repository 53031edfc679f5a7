"""OTLP over HTTP, in raw ASGI: ``POST /v1/traces`` and ``POST /v1/logs``.

200 means durable. What can't be decoded is 400 and must not be sent again; a full or late store is 503, and too much
at once 429, both with ``Retry-After``: exporters keep their batch and come again. Metrics are not kept: 404 is what
makes exporters drop theirs at once instead of retrying.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import asyncio
import zlib
from http import HTTPStatus

from noria.assemble import Workspace
from noria.assemble.record.intake import Encoding, OtlpIntake, Signal, TooMuch, refusal
from noria.core.errors import Cancelled, InvalidInput, NoriaError, Unavailable
from noria.serve.access import KEY, trusts
from noria.serve.asgi import Receive, Scope, Send, headers_of, read_body, respond, retry_after
from noria.serve.failures import own_error

_INLINE_BYTES = 64 * 1024
"""Larger bodies are decompressed in a thread."""

_MEMBERS = 64
"""Most members of a gzip body: each costs a copy of all that follow, and exporters send one."""

_ENCODINGS: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_TYPES: dict[Encoding, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}


class Otlp:
    """Serves exporters.

    Arguments:
        workspace: whose intake takes the records.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._intake: OtlpIntake = workspace.intake
        self._limit = workspace.settings.otlp_max_body_bytes

    async def traces(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /v1/traces``."""
        await self._take("traces", scope, receive, send)

    async def logs(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /v1/logs``: GenAI events; other logs are rejected by number in the answer."""
        await self._take("logs", scope, receive, send)

    async def metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /v1/metrics``: not kept, and exporters are told so in the one way that they don't retry."""
        del receive
        encoding = _ENCODINGS.get(_media_type(headers_of(scope)), "protobuf")
        error = InvalidInput(
            "Noria keeps no metrics: it computes them from spans.",
            hint="Set OTEL_METRICS_EXPORTER=none, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT instead of the general one.",
        )
        error.status = HTTPStatus.NOT_FOUND.value
        await _refuse(send, encoding, error)

    async def _take(self, signal: Signal, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        encoding: Encoding = "protobuf"
        try:
            encoding = _encoding(headers)
            packed = await read_body(receive, self._limit)
            with self._intake.hold(len(packed)):
                body = await _unpacked_aside(packed, headers.get("content-encoding", ""), self._limit)
                with self._intake.hold(len(body)):
                    answer = await self._intake.take(signal, body, encoding, trusted=trusts(scope.get(KEY)))
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001  # this boundary's one broad catch: whatever failed, the sender is told
            failure = own_error(error, scope["path"])
            if isinstance(failure, Unavailable):
                self._intake.turned_away()
            await _refuse(send, encoding, failure)
        else:
            await respond(send, 200, answer, _TYPES[encoding])


def _media_type(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _encoding(headers: dict[str, str]) -> Encoding:
    found = _ENCODINGS.get(_media_type(headers))
    if found is None:
        error = InvalidInput(
            f"The content type is {headers.get('content-type', '')[:80]!r}.",
            hint="Send application/x-protobuf or application/json.",
        )
        error.status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value
        raise error
    return found


async def _unpacked_aside(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its content coding; a large one is unpacked in a thread. Raises as :func:`_unpacked` does."""
    if coding and len(body) > _INLINE_BYTES:
        return await asyncio.to_thread(_unpacked, body, coding, limit)
    return _unpacked(body, coding, limit)


def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its content coding, at most ``limit`` bytes of it: a few of gzip's can unpack to gigabytes.

    Raises:
        InvalidInput: 415 for a coding that Noria does not know, 413 for too much, 400 for what is not gzip.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding != "gzip":
        error = InvalidInput(f"The content coding is {coding[:40]!r}.", hint="Send gzip, or none.")
        error.status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value
        raise error
    pieces: list[bytes] = []
    size = 0
    while body:
        if len(pieces) == _MEMBERS:
            raise InvalidInput(f"The gzip body has more than {_MEMBERS} members.", hint="Compress it as one.")
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            piece = stream.decompress(body, limit - size + 1)
        except zlib.error as error:
            raise InvalidInput(f"The body is not gzip: {error}.") from error
        size += len(piece)
        if size > limit:
            too_large = InvalidInput(f"The request is larger than {limit:,} bytes after decompression.")
            too_large.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value
            raise too_large
        if not stream.eof:
            raise InvalidInput("The gzip body ends before its end.")
        pieces.append(piece)
        body = stream.unused_data
    return b"".join(pieces)


async def _refuse(send: Send, encoding: Encoding, error: NoriaError) -> None:
    status = error.status
    if isinstance(error, Unavailable) and not isinstance(error, TooMuch):
        status = HTTPStatus.SERVICE_UNAVAILABLE.value  # a full disk's own 507 would tell exporters not to come again
    await respond(send, status, refusal(error, encoding), _TYPES[encoding], retry_after(error))
