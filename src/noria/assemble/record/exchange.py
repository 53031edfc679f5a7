"""The record on its way out and in: pages of a walk, lines of a stream, batches of an import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from noria.bridges.files.columns import encode_line
from noria.bridges.files.importing import check
from noria.bridges.files.records import Records
from noria.bridges.files.walk import PAGE, Page, Selection, page, scores_by_span
from noria.bridges.otlp.large import slim, slim_score
from noria.bridges.otlp.whole import missing_bytes, whole
from noria.core.errors import InvalidInput
from noria.core.identity import canonical
from noria.core.protocols import BlobStore, TraceStore
from noria.core.questions import Filter, Question
from noria.core.scores import Score
from noria.core.struct import Noun

__all__ = ["Exchange", "Page", "Records", "Selection", "Taken"]

_MOST_BYTES = 16 << 20
"""Large contents that are held at once."""


class Taken(Noun):
    """What came of a batch."""

    spans: int = 0
    """Spans that are stored now; those that were there before are replaced."""
    scores: int = 0
    """Scores that are stored now."""
    repeated: int = 0
    """Scores that were there already, word for word, and were left alone."""
    homeless: int = 0
    """Scores that name a span which nobody has; they were not stored."""


class Exchange:
    """Exports and imports of one trace store.

    Arguments:
        store: the records.
        blobs: large contents.
        large: bytes from which contents go to the blob store.
    """

    def __init__(self, store: TraceStore, blobs: BlobStore, large: int) -> None:
        self._store = store
        self._blobs = blobs
        self._large = large

    async def page(
        self, selection: Selection, after: str | None = None, *, limit: int = PAGE, with_blobs: bool = False
    ) -> Page:
        """The next spans of a walk, with their scores.

        Arguments:
            selection: which spans.
            after: where to go on.
            limit: most spans; fewer come where their large contents would be too much at once.
            with_blobs: put large contents back in their places.
        """
        found = await page(self._store, selection, after, limit=limit)
        if not with_blobs:
            return found
        while limit > 1 and sum(missing_bytes(span) for span in found.records.spans) > _MOST_BYTES:
            limit = max(1, limit // 4)
            found = await page(self._store, selection, after, limit=limit)
        spans = await asyncio.to_thread(lambda: tuple(whole(span, self._content) for span in found.records.spans))
        return found._replace(records=found.records._replace(spans=spans))

    async def lines(self, selection: Selection, *, with_blobs: bool = False) -> AsyncIterator[bytes]:
        """All of them as JSON lines, some hundred at a time."""
        after, more = None, True
        while more:
            records, after, more = await self.page(selection, after, with_blobs=with_blobs)
            yield b"".join(encode_line(span, scores) for span, scores in scores_by_span(records))

    def _content(self, sha256: str, size: int) -> bytes | None:
        try:
            with self._blobs.open(sha256) as file:
                content = file.read(size + 1)
                return content if len(content) == size else None
        except InvalidInput:  # no such blob, or a reference that was made up
            return None

    async def take(self, records: Records) -> Taken:
        """Store a batch; the same batch again changes nothing.

        A span replaces its earlier copy. A score that is there already, equal in every field, is not stored twice; one
        that names its span without the trace gets the trace of that span.

        Raises:
            InvalidInput: one of the records can't be kept; none is.
        """
        check(records)
        records = await asyncio.to_thread(self._slim, records)
        placed = await self._placed(records)
        known = await self._known({score.trace_id for score in placed})
        fresh: dict[bytes, Score] = {}
        for score in placed:
            if (content := _content(score)) not in known:
                fresh.setdefault(content, score)
        await self._store.append(records.spans, list(fresh.values()))
        return Taken(
            spans=len(records.spans),
            scores=len(fresh),
            repeated=len(placed) - len(fresh),
            homeless=len(records.scores) - len(placed),
        )

    def _slim(self, records: Records) -> Records:
        """The records without their large contents, which are in the blob store then."""
        spans = tuple(slim(span, self._blobs.put, self._large) for span in records.spans)
        scores = tuple(slim_score(score, self._blobs.put, self._large) for score in records.scores)
        kept = Records(tuple(one for one in spans if one), tuple(one for one in scores if one))
        if len(kept.spans) + len(kept.scores) < len(spans) + len(scores):
            raise InvalidInput("A record is too large, even without its large contents.", kept="Nothing was stored.")
        return kept

    async def _placed(self, records: Records) -> list[Score]:
        """The scores with the trace of their span; without those whose span nobody has."""
        missing = {score.span_id for score in records.scores if not score.trace_id}
        traces = {span.span_id: span.trace_id for span in records.spans if span.span_id in missing}
        if sought := sorted(missing - traces.keys()):
            where = (Filter(column="span_id", op="in", value=sought),)
            table = await self._store.query(Question(where=where, columns=("span_id", "trace_id"), limit=None))
            traces |= {str(span): str(trace) for span, trace in table.rows}
        return [
            score if score.trace_id else msgspec.structs.replace(score, trace_id=traces[score.span_id])
            for score in records.scores
            if score.trace_id or score.span_id in traces
        ]

    async def _known(self, traces: Iterable[str]) -> set[bytes]:
        if not (sought := sorted(traces)):
            return set()
        where = (Filter(column="trace_id", op="in", value=sought),)
        return {
            _content(score) for score in await self._store.scores(Question(source="scores", where=where, limit=None))
        }


def _content(score: Score) -> bytes:
    try:
        return canonical(score)
    except UnicodeEncodeError as error:
        raise InvalidInput("A score holds half a surrogate pair, which is no text.") from error


def lines_of(records: Records) -> Sequence[bytes]:
    """Records as JSON lines, one a span."""
    return [encode_line(span, scores) for span, scores in scores_by_span(records)]
