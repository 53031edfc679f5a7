"""OpenTelemetry traffic taken in: read, made durable, answered.

An answer says that everything it does not name as rejected is durable. Requests that are sent again change nothing:
spans replace their earlier copies, and judgements that are there already are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import msgspec
import structlog

from noria.bridges.otlp import answers
from noria.bridges.otlp.answers import Encoding, Signal
from noria.bridges.otlp.problems import REASONS, Notes, Problem, Problems
from noria.bridges.otlp.traffic import Reader, Records
from noria.core.attributes import KEY_ID, TEAM
from noria.core.errors import InvalidInput, NoriaError, NotAllowed, Unavailable
from noria.core.protocols import BlobStore, TraceStore
from noria.core.questions import Filter, Question
from noria.core.scores import Score
from noria.core.spans import Span
from noria.wires.openai_responses.requests import STORED

_CLAIMS = frozenset({KEY_ID, TEAM, STORED})
"""Attributes by which the gateway knows later whose a call was, and what may be read again."""
_INLINE_BYTES = 192 * 1024
"""Larger bodies are read in a thread: some 150 spans, 10 ms."""

AT_ONCE_BYTES = 256 * 1024 * 1024
"""Bytes of requests that are held at a time; beyond it senders are asked to wait."""

__all__ = ["Encoding", "OtlpIntake", "Problem", "Signal", "TooMuch", "refusal"]

log = structlog.get_logger(__name__)


class TooMuch(Unavailable):
    """More requests are under way than may be held."""

    code = "too_much"
    status = HTTPStatus.TOO_MANY_REQUESTS.value


class OtlpIntake:
    """Takes OTLP requests.

    Arguments:
        traces: where the records go.
        blobs: where large contents go.
        price: what a call costs, where its sender did not say so.
        now: the clock.
        large: bytes from which contents are large.
        watch: is shown the spans that were made durable.
    """

    def __init__(
        self,
        traces: TraceStore,
        blobs: BlobStore,
        *,
        price: Callable[[Span], float | None],
        now: Callable[[], int],
        large: int,
        watch: Callable[[Sequence[Span]], None],
    ) -> None:
        self._traces = traces
        self._now = now
        self._watch = watch
        self._reader = Reader(price, blobs.put, large, _log_defect)
        self._problems = Problems()
        self._held = 0
        self._counts = dict.fromkeys(("requests", "spans", "scores", "rejected", "turned_away"), 0)

    async def take(self, signal: Signal, body: bytes, encoding: Encoding, *, trusted: bool) -> bytes:
        """Make a request's records durable, then answer it.

        Arguments:
            signal: what the request holds.
            body: the request, decompressed.
            encoding: how it is written, and how the answer will be.
            trusted: the sender may say anything of a span. Without it, nobody is told by a span whose call it was, or what
                was answered to whom: those attributes are the gateway's own to write.

        Raises:
            InvalidInput: the body can't be decoded; nothing was kept.
            Unavailable: the store can't take records now; nothing was kept, and sending it again is right.
        """
        notes = Notes(self._now())
        try:
            if len(body) > _INLINE_BYTES:
                records = await asyncio.to_thread(self._reader.read, signal, body, encoding, notes)
            else:
                records = self._reader.read(signal, body, encoding, notes)
        except InvalidInput:
            notes.note("bad_body")
            self._problems.add(notes)
            raise
        scores = await self._new(records.scores)
        spans = records.spans if trusted else [_without_claims(span) for span in records.spans]
        try:
            await self._append(spans, scores, notes)
        finally:
            self._problems.add(notes)
        return self._answer(signal, encoding, records, notes)

    @contextlib.contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count bytes of a request as held meanwhile. Raises ``TooMuch`` where there are too many already."""
        if self._held and self._held + size > AT_ONCE_BYTES:
            raise TooMuch("More telemetry is on its way than Noria can hold.", retry_after_s=1.0)
        self._held += size
        try:
            yield
        finally:
            self._held -= size

    def turned_away(self) -> None:
        """Count a request that was answered with 429 or 503."""
        self._counts["turned_away"] += 1

    def problems(self) -> Sequence[Problem]:
        """The latest problems, newest first."""
        return self._problems.latest()

    def numbers(self) -> Mapping[str, float]:
        """For ``/metrics``."""
        counts = {f"noria_intake_{name}_total": float(count) for name, count in self._counts.items()}
        return {**counts, **self._problems.numbers()}

    def _answer(self, signal: Signal, encoding: Encoding, records: Records, notes: Notes) -> bytes:
        refused = notes.refused
        rejected = sum(refused.values())
        self._counts["requests"] += 1
        self._counts["spans"] += len(records.spans) - refused.get("not_storable", 0)
        self._counts["scores"] += len(records.scores)
        self._counts["rejected"] += rejected
        why = " ".join(f"{count} × {name}: {REASONS[name][1]}" for name, count in refused.items())
        if why:
            log.info("intake.rejected", records=rejected, reasons=refused)
            why = f"{rejected} of {records.received} were not kept. {why}"
        return answers.accepted(signal, encoding, rejected=rejected, message=why)

    async def _append(self, spans: Sequence[Span], scores: Sequence[Score], notes: Notes) -> None:
        """Append all of them. One that the store has no form for sinks no other."""
        if not spans and not scores:
            return
        try:
            await self._traces.append(spans, scores)
        except InvalidInput as error:
            if len(spans) + len(scores) > 1:
                for some in (spans[: len(spans) // 2], spans[len(spans) // 2 :]):
                    await self._append(some, (), notes)
                for judged in (scores[: len(scores) // 2], scores[len(scores) // 2 :]):
                    await self._append((), judged, notes)
                return
            record: Span | Score = spans[0] if spans else scores[0]
            notes.note("not_storable", trace_id=record.trace_id, span_id=record.span_id)
            log.warning("intake.not_storable", error=str(error))
        else:
            self._watch(spans)

    async def _new(self, scores: Sequence[Score]) -> Sequence[Score]:
        """The scores that are not on record yet: a request that is sent again must not judge twice."""
        if not scores:
            return scores
        traces = sorted({score.trace_id for score in scores})
        where = (Filter(column="trace_id", op="in", value=traces),)
        known = await self._traces.scores(Question(source="scores", where=where, limit=None))
        seen = {_identity(score) for score in known}
        return [score for score in scores if _identity(score) not in seen]


def refusal(error: NoriaError, encoding: Encoding) -> bytes:
    """The body that tells an exporter why nothing of its request was kept."""
    if isinstance(error, Unavailable):
        code = answers.RESOURCE_EXHAUSTED if isinstance(error, TooMuch) else answers.UNAVAILABLE
        return answers.refused(encoding, code, str(error), retry_after_s=error.retry_after_s)
    if isinstance(error, NotAllowed):
        return answers.refused(encoding, answers.UNAUTHENTICATED, str(error))
    code = answers.INVALID_ARGUMENT if isinstance(error, InvalidInput) else answers.INTERNAL
    return answers.refused(encoding, code, str(error))


def _log_defect(error: Exception) -> None:
    # Where, and nothing else: the error's text may hold contents.
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("intake.not_understood", error=type(error).__name__, at=f"{Path(where.filename).name}:{where.lineno}")


def _without_claims(span: Span) -> Span:
    if _CLAIMS.isdisjoint(span.attributes):
        return span
    kept = {name: value for name, value in span.attributes.items() if name not in _CLAIMS}
    return msgspec.structs.replace(span, attributes=kept)


def _identity(score: Score) -> tuple[object, ...]:
    return (score.trace_id, score.span_id, score.scorer, score.time_ns, score.value, score.source)
