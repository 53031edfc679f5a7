"""Traces in DuckDB, in the server's process, behind a spool.

``append`` returns when the records are durable in the spool, which is the store's log. A background task takes what is
there into tables in memory; every question first takes what was appended before it, or looks there for its one trace
(:mod:`noria.stores.traces.embedded.waiting`). When 30,720 spans have come they are settled: moved into the file in one
transaction with the spool position, and the spool is forgotten up to there. See
:mod:`noria.stores.traces.embedded` for the parts, and ``docs/decisions/0008-a-store-that-settles.md`` for the numbers.

Records reach DuckDB as a file of JSON lines: 15 to 27 microseconds of CPU a span, 3 of them for reading the JSON;
registered numpy arrays took 35 (plus 14 to decode the spool in Python), a JSON parameter 126, multi-row VALUES 604,
``executemany`` 1,654 (2 kB spans, 2 cores, DuckDB 2.0).

A span that is sent again replaces its earlier copy. Scores are judgements, not states: each that is appended is kept.

DuckDB allows one process a file. Nothing here blocks the event loop: taking and settling have a thread each, reading has two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from noria.core.cursors import Place, cursor_behind
from noria.core.errors import InvalidInput, Unavailable
from noria.core.questions import Arrivals, Filter, Order, Question, Table
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun
from noria.stores.segments import Position
from noria.stores.spool import OpenSpool, Spool
from noria.stores.traces.compile import Sql, compile_groups, compile_rows
from noria.stores.traces.embedded import erase, newest, rollups
from noria.stores.traces.embedded.keeper import Keeper
from noria.stores.traces.embedded.reading import Moment, Range
from noria.stores.traces.embedded.sketches import ERROR
from noria.stores.traces.embedded.upkeep import Upkeep
from noria.stores.traces.embedded.waiting import Appended, Waiting, of_trace
from noria.stores.traces.plan import Plan, chosen, plan, whole
from noria.stores.traces.rows import pack, score_of, span_of
from noria.stores.traces.schema import STORED, Source

Answer = TypeVar("Answer")


class TraceStats(Noun):
    """Counts since open, for ``/metrics``."""

    appended: int
    """Records that were made durable."""
    drained: int
    """Records that DuckDB has taken, those of an earlier process included."""
    recovered: int
    """Of the drained ones: appended by an earlier process."""
    pending: int
    """Records that are durable in the spool and not yet in DuckDB, those of an earlier process left out."""
    pending_bytes: int
    """Bytes in the spool that are not settled in the file, those of an earlier process included."""
    cut_bytes: int
    """Bytes of an unfinished append cut off at open; nobody was told that it was durable."""
    damaged_bytes: int
    """Bytes of the spool that the disk lost."""
    turned_away: int
    """Appends that were refused because the disk was full or failed, or the store or the disk too slow."""
    refused: int
    """Appends that DuckDB would not take, set aside in the spool folder's ``refused``."""
    unindexed: int
    """Numbers of settled spans whose words or hours are still to be indexed: questions about them take longer."""


class DuckDBTraces:
    """The embedded :class:`~noria.core.protocols.TraceStore`; make one with :meth:`open`."""

    def __init__(self, keeper: Keeper, writer: ThreadPoolExecutor, drain_after_s: float) -> None:
        self._keeper = keeper
        self._spool = keeper.spool
        self._waiting = Waiting(keeper.spool.end)
        self._upkeep = Upkeep(keeper, writer, self._waiting, drain_after_s)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="noria-traces-read")
        self._count = 0
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path | str,
        spool_folder: Path | str,
        *,
        drain_after_s: float = 3.0,
        open_spool: OpenSpool = Spool.open,
    ) -> DuckDBTraces:
        """Open or create the trace file at ``path`` and its spool, and take what an earlier process left there.

        Asynchronous, because opening may replay DuckDB's log and because the store lives on this event loop. How strictly
        records are kept, and what is left free on the disk, is decided by who hands in ``open_spool``.

        Raises:
            Conflict: another process has the file open.
            InvalidInput: a newer Noria wrote the file, or it is no trace file.
            Unavailable, StorageFull: the file or the folder can't be opened.
        """
        writer = ThreadPoolExecutor(1, thread_name_prefix="noria-traces-write")
        try:
            keeper = await asyncio.get_running_loop().run_in_executor(
                writer, Keeper, Path(path), Path(spool_folder), open_spool
            )
        except BaseException:
            writer.shutdown(wait=False)
            raise
        return cls(keeper, writer, drain_after_s)

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """Return when all of them are durable, together.

        Raises:
            InvalidInput: one of them can't be kept as it is; none is kept.
            StorageFull: the disk takes no more; none is kept.
            Unavailable: DuckDB is too far behind, or the store is closed; none is kept.
        """
        if spans or scores:
            await asyncio.shield(self.begin(spans, scores))  # what is durable is noted, whoever waits for it

    def begin(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> asyncio.Future[Position]:
        """The same without waiting. Who cancels what is returned keeps it from being noted. Raises as ``append``."""
        payload = pack(spans, scores)
        done = self._spool.begin(payload)
        done.add_done_callback(partial(self._appended, payload, len(spans) + len(scores)))
        return done

    def _appended(self, payload: bytes, records: int, done: asyncio.Future[Position]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        self._waiting.add(Appended(done.result(), payload))
        self._count += records
        self._upkeep.arrived(len(payload))

    def check_room(self) -> None:
        """Raise ``StorageFull`` while the disk has no room for records."""
        self._spool.check_room()

    async def query(self, question: Question) -> Table:
        """Answer from everything appended before the call. Raises ``InvalidInput`` and ``Unavailable``."""
        checked = plan(question)
        sql = compile_groups(checked) if checked.grouped else compile_rows(checked)
        rows = await self._ask(self._answer(checked, sql))
        kinds = [column.kind for column in checked.columns]
        documents = [index for index, kind in enumerate(kinds) if kind in ("json", "any")]
        following = None
        if checked.pages:
            limit, width = question.limit, len(kinds)
            if limit and len(rows) > limit:
                following = cursor_behind(question, [Place(*row[width:]) for row in rows[:limit]])
            rows = [row[:width] for row in rows[:limit]]
        return Table(
            columns=checked.labels,
            rows=tuple(_decoded(row, documents) for row in rows),
            next=following,
            error=ERROR if rollups.covers(checked) and rollups.estimates(checked) else 0.0,
        )

    async def spans(self, question: Question) -> list[Span]:
        """Whole spans that match an ungrouped question over spans."""
        return [span_of(row) for row in await self._ask(self._whole(question, "spans"))]

    async def scores(self, question: Question) -> list[Score]:
        """Whole scores that match an ungrouped question over scores."""
        return [score_of(row) for row in await self._ask(self._whole(question, "scores"))]

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        """One trace: its spans by start, and the scores on them by time."""
        mine = (Filter(column="trace_id", value=trace_id),)
        spans = Question(where=mine, order=(Order(column="start_ns"),), limit=None)
        scores = Question(source="scores", where=mine, order=(Order(column="time_ns"),), limit=None)
        asked = [self._whole(spans, "spans"), self._whole(scores, "scores")]

        def read(now: Moment) -> tuple[Position, list[Span], list[Score]]:
            found, judged = (ask(now) for ask in asked)
            return now.position, [span_of(row) for row in found], [score_of(row) for row in judged]

        taken = self._keeper.intake.position
        waiting = self._waiting.behind(taken)
        if waiting is None or self._keeper.gathering.holds_more(taken):
            _, found, judged = await self._ask(read)
            return found, judged
        self._check_open()
        seen, found, judged = await self._read(read)
        came, rated = of_trace([item for item in waiting if item.end > seen], trace_id)
        return _with_later(found, came), sorted([*judged, *rated], key=_place_of_score)

    async def arrivals(self, after: str | None = None, *, limit: int = 1000) -> Arrivals:
        """Spans in order of arrival, after a cursor; without one from the first. Raises ``InvalidInput``."""
        start = _number(after)
        columns = ", ".join(f'"{name}"' for name in STORED["spans"])
        # What is spliced in are names from the schema and numbers.
        text = f"SELECT {columns}, seq FROM spans WHERE seq > {start} ORDER BY seq LIMIT {limit}"  # noqa: S608
        rows = await self._ask(lambda now: now.ask(Sql(text, []), [Range(start + 1, now.end)]))
        return Arrivals(spans=tuple(span_of(row[:-1]) for row in rows), cursor=str(rows[-1][-1] if rows else start))

    async def latest_cursor(self) -> str:
        """The cursor behind everything that has arrived."""
        return str(await self._ask(lambda now: now.end - 1))

    async def delete(self, question: Question) -> int:
        """Delete the spans that match, with all scores on them; their count."""
        return await self._change(erase.delete, chosen(question))

    async def strip(self, question: Question) -> int:
        """Delete the texts of spans that match and keep their numbers; how many had any."""
        return await self._change(erase.strip, chosen(question))

    def stats(self) -> TraceStats:
        """Counts now, without waiting."""
        intake, spool = self._keeper.intake, self._spool
        appended = self._count + self._keeper.gathering.records
        return TraceStats(
            appended=appended,
            drained=intake.drained,
            recovered=intake.recovered,
            pending=max(0, appended + intake.recovered - intake.drained),
            pending_bytes=spool.pending_bytes,
            cut_bytes=spool.cut_bytes,
            damaged_bytes=spool.damaged_bytes,
            turned_away=spool.turned_away,
            refused=intake.refused,
            unindexed=self._keeper.unindexed,
        )

    async def close(self) -> None:
        """Take and settle what is left, checkpoint and close.

        What DuckDB can't take, or not within five seconds, stays in the spool for the next open.
        """
        if self._closed:
            return
        self._closed = True
        try:
            await self._upkeep.finish()
        finally:
            await asyncio.to_thread(self._readers.shutdown)
            await self._upkeep.close()

    async def _change(self, change: Callable[[Keeper, Plan], int], checked: Plan) -> int:
        self._check_open()
        return await self._upkeep.change(change, checked)

    def _whole(self, question: Question, source: Source) -> Callable[[Moment], list[tuple[Any, ...]]]:
        checked, names = plan(whole(question, source)), tuple(STORED[source])
        return self._answer(checked, compile_rows(checked, names), names)

    def _answer(
        self, checked: Plan, sql: Sql, names: tuple[str, ...] | None = None
    ) -> Callable[[Moment], list[tuple[Any, ...]]]:
        return lambda now: newest.answer(now, self._keeper.holdings, checked, sql, names)

    async def _ask(self, question: Callable[[Moment], Answer]) -> Answer:
        self._check_open()
        await self._upkeep.catch_up()
        return await self._read(question)

    async def _read(self, question: Callable[[Moment], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._readers, lambda: self._keeper.read(question))

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("The trace store is closed.")


def _with_later(spans: list[Span], later: list[Span]) -> list[Span]:
    """The spans of a trace in order, with those that came later: each in the place of an earlier copy."""
    by_id = {span.span_id: span for span in (*spans, *later)}
    return sorted(by_id.values(), key=lambda span: (span.start_ns, span.span_id))


def _place_of_score(score: Score) -> tuple[int, bool, str, str]:
    return score.time_ns, score.span_id is None, score.span_id or "", score.scorer


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput(f"{cursor!r} is no cursor of this store.")
    return int(cursor)


def _decoded(row: tuple[Any, ...], documents: Sequence[int]) -> tuple[Any, ...]:
    if not documents:
        return row
    values = list(row)
    for index in documents:
        if values[index] is not None:
            values[index] = msgspec.json.decode(values[index])
    return tuple(values)
