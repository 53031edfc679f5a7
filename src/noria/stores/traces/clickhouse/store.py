"""The store: appends go to ``inserts``, questions are compiled, and nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from noria.core.cursors import Place, cursor_behind
from noria.core.errors import NoriaError
from noria.core.questions import Arrivals, Filter, Order, Question, Table
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun
from noria.stores.traces.clickhouse import arrivals
from noria.stores.traces.clickhouse.address import Address, address
from noria.stores.traces.clickhouse.compile import (
    compile_groups,
    compile_horizon,
    compile_rows,
    output,
    stored,
)
from noria.stores.traces.clickhouse.connection import Connections, connect, errors
from noria.stores.traces.clickhouse.erasure import Eraser
from noria.stores.traces.clickhouse.inserts import Inserts, Piece
from noria.stores.traces.clickhouse.lines import score_line, span_line
from noria.stores.traces.clickhouse.schema import prepare
from noria.stores.traces.clickhouse.stamps import SECOND, Stamps
from noria.stores.traces.plan import Plan, chosen, plan, whole
from noria.stores.traces.rows import score_of, span_of
from noria.stores.traces.schema import STORED, Source

_FEW = 10_000
"""Up to so many newest rows are looked for from the newest end; more are read in one go."""

_WINDOW_POLL_S = 0.5

Row = tuple[Any, ...]


class ClickHouseStats(Noun):
    """Counts since open, for ``/metrics``."""

    appended: int
    """Records that ClickHouse holds durably."""
    pending: int
    """Records that wait for an insert, not acknowledged."""
    inserts: int
    """Inserts made."""
    repeated: int
    """Inserts that had to be tried again."""


class ClickHouseTraces:
    """The shared :class:`~noria.core.protocols.TraceStore`; make one with :meth:`open`."""

    def __init__(self, place: Address, connections: Connections, stamps: Stamps, *, wait_until_gone: bool) -> None:
        self._place = place
        self._connections = connections
        self._stamps = stamps
        self._wait_until_gone = wait_until_gone
        self._inserts = Inserts(connections, place, stamps)
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, password: str = "", wait_until_gone: bool = True) -> ClickHouseTraces:
        """Connect, and make the tables or bring them up to date.

        Arguments:
            url: see ``address``.
            password: for a URL without one.
            wait_until_gone: whether ``delete`` and ``strip`` return only when the old files have left the disk.

        Raises:
            InvalidInput: no such URL, user or database; a newer Noria made the tables; the extra is not installed.
            Unavailable: the server does not answer.
        """
        place = address(url)

        def begin() -> Stamps:
            try:
                client = connect(place, password, database="default")
                try:
                    prepare(client, place)
                    return Stamps(client)
                finally:
                    client.close()
            except NoriaError:
                raise
            except Exception as error:
                raise errors(place)(error) from error

        stamps = await asyncio.to_thread(begin)
        return cls(place, Connections(place, password), stamps, wait_until_gone=wait_until_gone)

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """Return when ClickHouse has all of them on disk.

        Spans and scores are two tables. When the second insert fails for good, the spans are kept and the scores are
        not. Sent again, spans double nothing; scores do where their first insert landed unseen.

        Raises:
            InvalidInput: one of them can't be kept as it is; none is kept.
            StorageFull: ClickHouse's disks take no more.
            Unavailable: it does not answer, or is too far behind.
        """
        pieces = [Piece(span.trace_id, span.span_id, span.start_ns, span_line(span)) for span in spans]
        lines = [score_line(score) for score in scores]
        if pieces or lines:
            await self._inserts.append(pieces, lines)

    def check_room(self) -> None:
        """Raise ``Unavailable`` while so much waits for ClickHouse that an append would be refused."""
        self._inserts.check_room()

    async def query(self, question: Question) -> Table:
        """Answer from everything appended before the call. Raises ``InvalidInput`` and ``Unavailable``."""
        checked = plan(question)
        kinds = [column.kind for column in checked.columns]
        documents = [index for index, kind in enumerate(kinds) if kind in ("json", "any")]
        if checked.grouped:
            rows = await self._ask(compile_groups(checked))
            return Table(columns=checked.labels, rows=tuple(_decoded(row, documents) for row in rows))
        found, more = await self._rows(checked)
        width = len(checked.columns)
        places = [Place(*row[width:]) for row in found]
        return Table(
            columns=checked.labels,
            rows=tuple(_decoded(row[:width], documents) for row in found),
            next=cursor_behind(question, places) if more and checked.pages else None,
        )

    async def spans(self, question: Question) -> list[Span]:
        """Whole spans that match an ungrouped question over spans."""
        return [span_of(row) for row in await self._whole(question, "spans")]

    async def scores(self, question: Question) -> list[Score]:
        """Whole scores that match an ungrouped question over scores."""
        return [score_of(row) for row in await self._whole(question, "scores")]

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        """One trace: its spans by start, and the scores on them by time."""
        mine = (Filter(column="trace_id", value=trace_id),)
        spans = Question(where=mine, order=(Order(column="start_ns"),), limit=None)
        scores = Question(source="scores", where=mine, order=(Order(column="time_ns"),), limit=None)
        return await self.spans(spans), await self.scores(scores)

    async def arrivals(self, after: str | None = None, *, limit: int = 1000) -> Arrivals:
        """Spans in order of arrival, after a cursor; without one from the first. Raises ``InvalidInput``."""
        at = arrivals.cursor(after)
        form = plan(Question())  # it only gives the columns their form
        columns = [output(stored("spans", name), form) for name in STORED["spans"]]
        while True:
            horizon = self._horizon()
            found = await self._ask(arrivals.statement(columns, at, limit))
            behind, count = arrivals.moved(at, found, horizon, ended=len(found) < limit)
            if count or not found:
                break
            await asyncio.sleep(_WINDOW_POLL_S)  # there are more than a cursor can hold: the window must pass
        spans = tuple(span_of(row[:-3]) for row in found[:count])
        return Arrivals(spans=spans, cursor=behind.encode() if spans or after is None else after)

    async def latest_cursor(self) -> str:
        """The cursor behind everything that has arrived."""
        horizon = self._horizon()
        found = await self._ask(arrivals.inserts_since(horizon))
        return arrivals.Cursor(horizon, tuple(arrivals.Ahead(*row) for row in found)).encode()

    async def delete(self, question: Question) -> int:
        """Delete the spans that match, with all scores on them; their count."""
        checked = chosen(question)
        return await self._connections.write(
            lambda client: Eraser(client, self._place, self._wait_until_gone).delete(checked)
        )

    async def strip(self, question: Question) -> int:
        """Delete the texts of spans that match and keep their numbers; how many had any."""
        checked = chosen(question)
        return await self._connections.write(
            lambda client: Eraser(client, self._place, self._wait_until_gone).strip(checked)
        )

    def stats(self) -> ClickHouseStats:
        """Counts now, without waiting."""
        inserts = self._inserts
        return ClickHouseStats(
            appended=inserts.appended, pending=inserts.pending, inserts=inserts.inserts, repeated=inserts.repeated
        )

    async def close(self) -> None:
        """Insert what waits, and let go of the server. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._inserts.close()
        await self._connections.close()

    def _horizon(self) -> int:
        return self._stamps.now() - int(self._place.window_s * SECOND)

    async def _whole(self, question: Question, source: Source) -> list[Row]:
        found, _ = await self._rows(plan(whole(question, source)), tuple(STORED[source]))
        return [row[: len(STORED[source])] for row in found]

    async def _rows(self, checked: Plan, names: tuple[str, ...] | None = None) -> tuple[list[Row], bool]:
        """Rows of an ungrouped question, each with its place, and whether there are more."""
        limit = checked.question.limit
        if limit == 0:
            return [], False
        found = await self._newest(checked, names)
        if limit is None:
            return found, False
        return found[:limit], len(found) > limit

    async def _newest(self, checked: Plan, names: tuple[str, ...] | None) -> list[Row]:
        """Rows, one more than the limit where there are.

        ``FINAL`` reads all there is before it says which copy is the latest, unless a start bounds it. So the newest few
        are found among all copies first, which the sorting key makes quick, and compared from there on.
        """
        question = checked.question
        by_time = checked.question.source == "spans" and checked.pages and checked.newest_first
        if not by_time or question.limit is None or question.limit > _FEW:
            return await self._ask(compile_rows(checked, names))
        wanted = question.limit + 1
        need = wanted + question.offset
        while True:
            horizon = await self._ask(compile_horizon(checked, need))
            since = horizon[0][0] if horizon else None
            found = await self._ask(compile_rows(checked, names, since_ns=since))
            if since is None or len(found) >= wanted:
                return found
            need *= 4  # copies of one span, or later copies that do not fit

    async def _ask(self, sql: str) -> list[Row]:
        return await self._connections.read(lambda client: [tuple(row) for row in client.query(sql).result_rows])


def _decoded(row: Row, documents: Sequence[int]) -> Row:
    if not documents:
        return tuple(row)
    values = list(row)
    for index in documents:
        if values[index] is not None:
            values[index] = msgspec.json.decode(values[index])
    return tuple(values)
