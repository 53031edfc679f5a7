"""The protocols at the seams (with :class:`noria.core.scores.Scorer`, which lives beside its nouns)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import BinaryIO, Protocol

from noria.core.errors import EngineFailed
from noria.core.events import Event
from noria.core.questions import Arrivals, Question, Table
from noria.core.requests import Request
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun


class Target(Protocol):
    """Anything that answers a request. The gateway is one behind HTTP; so is every provider, prompt and cache."""

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Answer as a stream of events. Failures raise from the iterator; closing it cancels the call upstream."""
        ...


class Endpoint(Noun):
    """Where an engine listens."""

    base_url: str
    """OpenAI-compatible base URL, such as ``http://127.0.0.1:41234/v1``."""
    model: str
    """Name to send as the model."""
    api_key: str = ""
    """Key that the engine asks for, so that nobody else on the machine can use it."""


class EngineStatus(Noun):
    """An engine's health, as far as its supervisor can see."""

    state: str
    """``stopped``, ``starting``, ``ready``, ``backing_off`` or ``failed``."""
    pid: int | None = None
    """Process id."""
    restarts: int = 0
    """Restarts after a crash since the supervisor started."""
    rss_bytes: int | None = None
    """Resident memory now."""
    peak_rss_bytes: int | None = None
    """Largest resident memory seen, bytes."""
    log: str = ""
    """Path of its log file."""
    message: str = ""
    """Why it is not ready."""


class Engine(Protocol):
    """A supervised process that serves weights over an OpenAI-compatible port."""

    async def start(self) -> Endpoint:
        """Start, or join a start under way; return when it answers. Raises ``EngineFailed`` when it can't."""
        ...

    async def stop(self) -> None:
        """Stop cleanly; nothing of it is left."""
        ...

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        """Wait until the process behind ``endpoint`` is gone, and return why; at once when it is gone already.

        A call in flight races its reply against this, then asks ``start`` for the next endpoint: the port may differ.
        """
        ...

    def status(self) -> EngineStatus:
        """Health now, without waiting."""
        ...


class TraceStore(Protocol):
    """Where records live."""

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """Return only when all of them are durable, together. Raises ``StorageFull``; then none is kept."""
        ...

    async def query(self, question: Question) -> Table:
        """Answer from everything appended before the call."""
        ...

    async def spans(self, question: Question) -> list[Span]:
        """Whole spans that match an ungrouped question over spans."""
        ...

    async def scores(self, question: Question) -> list[Score]:
        """Whole scores that match an ungrouped question over scores."""
        ...

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        """One trace: its spans by start, and the scores on them by time."""
        ...

    async def arrivals(self, after: str | None = None, *, limit: int = 1000) -> Arrivals:
        """Spans in order of arrival, after a cursor; without one from the first.

        The one primitive behind tailing, exporting, copying to another store. ``latest_cursor`` skips to now.
        """
        ...

    async def latest_cursor(self) -> str:
        """The cursor behind everything that has arrived."""
        ...

    async def delete(self, question: Question) -> int:
        """Delete the spans that match an ungrouped question over spans, with all scores on them; their count.

        ``limit``, ``order`` and ``columns`` do not count. When it returns, no answer shows them, and the store's own
        files hold them no longer: neither tables, nor logs, nor what waits in the spool.
        """
        ...

    async def strip(self, question: Question) -> int:
        """Delete the texts of spans that match (as for ``delete``) and keep their numbers; how many had any.

        Texts are ``input``, ``output``, ``variables``, ``documents``, ``events``, ``error_message`` and every attribute
        whose value is a text longer than 64 characters. Retention uses it: texts live shorter than metrics.
        """
        ...


class BlobStore(Protocol):
    """Content-addressed bytes: weights, data sets, big payloads."""

    def put(self, source: BinaryIO | bytes, *, expect: str | None = None) -> str:
        """Store and return the SHA-256. With ``expect``, refuse (and keep nothing) when the digest differs."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Read. Raises ``UnknownName``."""
        ...

    def path(self, sha256: str) -> str:
        """A local file with the content, for programs that map it into memory."""
        ...

    def has(self, sha256: str) -> bool:
        """Whether it is there."""
        ...

    def delete(self, sha256: str) -> None:
        """Remove; no error when it is not there."""
        ...

    def collect(self, sha256: str, *, older_than_s: float) -> bool:
        """Remove unless it was put, or put again, within that time; whether it was removed.

        For blobs that nothing mentions: one that is being put at this moment is about to be mentioned.
        """
        ...

    def sizes(self) -> Mapping[str, int]:
        """All digests with their bytes."""
        ...


class Clock(Protocol):
    """Time, handed in so that tests hold it."""

    def __call__(self) -> int:
        """Now, nanoseconds since 1970 UTC."""
        ...
