"""Sends requests to any OTLP/HTTP collector, patiently but not for ever.

What the collector can't take now is sent again after a growing pause, or after the one that it asks for; what it
refuses for good is counted with its reason. Redirects are not followed: a key is for the address that was named.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are a package of their own
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from noria.bridges.otlp.encode import encode
from noria.core.errors import CallRefused, InvalidInput, Unavailable
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun

ATTEMPTS = 6
"""Tries of one request: half a minute of pauses, where the collector asks for no others."""
LONGEST_PAUSE_S = 60.0
"""Longest pause that a collector is granted."""
MOST_SPANS = 100
"""Spans of one request."""

_PATH = "/v1/traces"
_AGAIN = frozenset({408, 429, 502, 503, 504})
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
_SHOWN = 300

Rows = Sequence[tuple[Span, Sequence[Score]]]


class Sent(Noun):
    """What became of some spans."""

    spans: int = 0
    """Spans that the collector took."""
    scores: int = 0
    """Scores that were sent with them."""
    refused: int = 0
    """Spans that it refused for good."""
    reason: str = ""
    """Why, as it said the last time."""

    def __add__(self, other: Sent) -> Sent:
        """Both together."""
        return Sent(
            spans=self.spans + other.spans,
            scores=self.scores + other.scores,
            refused=self.refused + other.refused,
            reason=other.reason or self.reason,
        )


class Collector:
    """A collector over HTTP.

    Arguments:
        session: whose connections are used.
        url: its address, such as ``http://127.0.0.1:4318``; ``/v1/traces`` is added where it is missing.
        headers: sent with every request, such as a key; shown in no error.
        first_pause_s: pause before the second try; it doubles from try to try.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], *, first_pause_s: float = 1.0
    ) -> None:
        self._session = session
        self.url = endpoint(url)
        """Where requests go."""
        self._headers = {**headers, "content-type": "application/x-protobuf", "content-encoding": "gzip"}
        self._first_pause_s = first_pause_s

    async def send(self, rows: Rows) -> Sent:
        """Send spans with their scores; return when the collector has taken or refused each.

        Raises:
            CallRefused: it refuses everything, such as for a wrong key or address.
            Unavailable: it could not be reached, or could not take them now, in any of the tries.
        """
        sent = Sent()
        for start in range(0, len(rows), MOST_SPANS):
            sent += await self._send(rows[start : start + MOST_SPANS])
        return sent

    async def _send(self, rows: Rows) -> Sent:
        body = gzip.compress(encode(rows), 3)
        for attempt in range(ATTEMPTS):
            pause = self._first_pause_s * 2**attempt
            try:
                status, answer, asked = await self._post(body)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why = f"the collector at {self.url} can't be reached: {str(error) or type(error).__name__}"
            else:
                if status == HTTPStatus.OK:
                    return _taken(rows, answer)
                if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    return await self._halves(rows)
                if status not in _AGAIN:
                    raise CallRefused(
                        f"The collector at {self.url} refuses with {status}: {_readable(answer)}", status=status
                    )
                why = f"the collector at {self.url} answers {status}: {_readable(answer)}"
                pause = min(asked, LONGEST_PAUSE_S) if asked is not None else pause
            if attempt + 1 < ATTEMPTS:
                await asyncio.sleep(pause)
        raise Unavailable(f"After {ATTEMPTS} tries {why}")

    async def _halves(self, rows: Rows) -> Sent:
        """A request that is too large, as two; one span alone that is too large is refused."""
        if len(rows) == 1:
            return Sent(refused=1, reason="The span is too large for the collector (413).")
        middle = len(rows) // 2
        return await self._send(rows[:middle]) + await self._send(rows[middle:])

    async def _post(self, body: bytes) -> tuple[int, bytes, float | None]:
        """Status, body, and the pause that was asked for, seconds."""
        async with self._session.post(
            self.url, data=body, headers=self._headers, timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            answer = await response.content.read(64 * 1024)
            asked = response.headers.get("retry-after", "")
            return response.status, answer, float(asked) if asked.isdecimal() and len(asked) < 6 else None


def endpoint(url: str) -> str:
    """The address that traces go to. Raises ``InvalidInput`` where it is none, or holds a password: addresses are shown."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise InvalidInput(f"{url[:200]!r} is no collector's URL.", hint="Give one such as http://127.0.0.1:4318.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "A collector's URL can't hold a user or a password: it is shown, and kept with the progress.",
            hint="Give them as --header authorization=Basic%20..., or in OTEL_EXPORTER_OTLP_HEADERS.",
        )
    return url if parts.path.endswith(_PATH) else url.rstrip("/") + _PATH


def _taken(rows: Rows, answer: bytes) -> Sent:
    response = ExportTraceServiceResponse()
    try:
        response.ParseFromString(answer)
    except DecodeError:  # some collectors answer an empty JSON object
        response.Clear()
    refused = min(max(0, response.partial_success.rejected_spans), len(rows))
    return Sent(
        spans=len(rows) - refused,
        scores=sum(len(scores) for _, scores in rows),
        refused=refused,
        reason=response.partial_success.error_message[:_SHOWN] if refused else "",
    )


def _readable(answer: bytes) -> str:
    text = "".join(char if char.isprintable() else " " for char in answer[:_SHOWN].decode("utf-8", "replace"))
    return " ".join(text.split()) or "without a word"
