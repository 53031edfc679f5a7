"""From one trace store to another: copied in order of arrival, then compared day by day.

A copy can be stopped anywhere and gone on with. Spans replace themselves, so a batch that was copied without its place
being kept may come again. Scores do not: the first batch after a stop is compared with what is there already.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from noria.core.cursors import TIME, Place, cursor_behind, place_of, position
from noria.core.protocols import TraceStore
from noria.core.questions import Order, Question
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun

BATCH = 2_000
"""Records that are read, and kept, at once."""

Record = Span | Score
Source = Literal["spans", "scores"]


class Progress(Noun):
    """How far a copy is."""

    cursor: str | None = None
    """Behind the last batch of spans that the target has acknowledged."""
    spans: int = 0
    """Spans copied; one that was sent again while it was copied counts again."""
    scores_after: str | None = None
    """Behind the last batch of scores; None before the first."""
    scores: int = 0
    """Scores copied."""
    copied: bool = False
    """Whether everything was copied."""


class Day(Noun):
    """What a store holds of one day."""

    spans: int = 0
    """Spans that started on it."""
    spans_sum: str = ""
    """Sum of their SHA-256s, so that the order does not count."""
    scores: int = 0
    """Scores given on it."""
    scores_sum: str = ""
    """Sum of theirs."""


Days = dict[str, Day]
Keep = Callable[[Progress], None]


async def copy(source: TraceStore, target: TraceStore, at: Progress, keep: Keep, batch: int = BATCH) -> Progress:
    """Copy what is behind ``at``; ``keep`` is called after each batch that the target has acknowledged.

    The source must be quiet, or records that come meanwhile may be left behind.
    """
    while True:
        found = await source.arrivals(at.cursor, limit=batch)
        if not found.spans:
            break
        await target.append(found.spans)
        at = msgspec.structs.replace(at, cursor=found.cursor, spans=at.spans + len(found.spans))
        keep(at)
    resumed = True
    while scores := await source.scores(_following("scores", at.scores_after, batch)):
        fresh = await _not_there(source, target, at.scores_after, scores) if resumed else scores
        resumed = False
        if fresh:
            await target.append(scores=fresh)
        at = msgspec.structs.replace(
            at, scores_after=_behind("scores", at.scores_after, scores), scores=at.scores + len(scores)
        )
        keep(at)
    at = msgspec.structs.replace(at, copied=True)
    keep(at)
    return at


async def days(store: TraceStore, tell: Callable[[int], None], batch: int = BATCH) -> Days:
    """Counts and sums of a store, by UTC day; ``tell`` hears how many records were read so far."""
    read = 0
    sums: dict[str, list[int]] = {}
    kinds: tuple[Source, ...] = ("spans", "scores")
    for place, source in enumerate(kinds):
        async for record in _all(store, source, batch):
            day = sums.setdefault(_day(record), [0, 0, 0, 0])
            day[2 * place] += 1
            day[2 * place + 1] += int.from_bytes(hashlib.sha256(msgspec.json.encode(record)).digest())
            read += 1
            if read % batch == 0:
                tell(read)
    tell(read)
    return {name: Day(spans=a, spans_sum=_hex(b), scores=c, scores_sum=_hex(d)) for name, (a, b, c, d) in sums.items()}


def differing(source: Days, target: Days) -> list[str]:
    """Days on which the two do not hold the same."""
    return sorted(name for name in source.keys() | target.keys() if source.get(name) != target.get(name))


async def _all(store: TraceStore, source: Source, batch: int) -> AsyncIterator[Record]:
    after: str | None = None
    while True:
        question = _following(source, after, batch)
        records: Sequence[Record] = await (store.spans(question) if source == "spans" else store.scores(question))
        if not records:
            return
        for record in records:
            yield record
        after = _behind(source, after, records)


def _following(source: Source, after: str | None, batch: int) -> Question:
    """The next records in order of time."""
    return Question(source=source, order=(Order(column=TIME[source]),), after=after, limit=batch)


def _behind(source: Source, after: str | None, records: Sequence[Record]) -> str:
    return cursor_behind(_following(source, after, 0), [place_of(record) for record in records])


async def _not_there(source: TraceStore, target: TraceStore, after: str | None, scores: Sequence[Score]) -> list[Score]:
    """Those of ``scores``, which follow ``after``, that the target does not hold yet, each as often as it is missing."""
    known = Counter(map(_encoded, await target.scores(_between(scores[0].time_ns, scores[-1].time_ns))))
    known -= Counter(map(_encoded, await _last_seen(source, after)))
    missing = []
    for score in scores:
        if known[_encoded(score)] > 0:
            known[_encoded(score)] -= 1
        else:
            missing.append(score)
    return missing


async def _last_seen(source: TraceStore, after: str | None) -> Sequence[Score]:
    """Scores before the cursor at exactly its place: a later one may be equal to them."""
    at = position(_following("scores", after, 0))
    if at is None:
        return []
    moment = await source.scores(_between(at.place.time_ns, at.place.time_ns))
    return [score for score in moment if place_of(score) == at.place][: at.seen]


def _between(first_ns: int, last_ns: int) -> Question:
    """Scores of a time, oldest first."""
    order = (Order(column="time_ns"),)
    return Question(source="scores", since_ns=first_ns, until_ns=last_ns + 1, order=order, limit=None)


def _encoded(score: Score) -> bytes:
    return msgspec.json.encode(score)


def _day(record: Record) -> str:
    place: Place = place_of(record)
    return datetime.fromtimestamp(place.time_ns // 10**9, UTC).strftime("%Y-%m-%d")


def _hex(total: int) -> str:
    return f"{total % 2**256:064x}"
