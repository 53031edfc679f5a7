"""Appends that arrive together become one insert, answered when ClickHouse has it on disk.

Each insert makes a part of the table, and too many parts are what a ClickHouse server dies of. So an append waits
``batch_ms`` for others, and as long as the insert before it takes. No spool stands before it: a process that keeps
nothing loses nothing when it goes, and its callers are told only what the cluster holds.

An insert whose answer was lost is tried again under the same token, which the server keeps once. What a server may have
taken though nobody was told appears once at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from noria.core.errors import InvalidInput, NoriaError, Unavailable
from noria.stores.traces.clickhouse.address import Address
from noria.stores.traces.clickhouse.connection import Connections
from noria.stores.traces.clickhouse.lines import stamped
from noria.stores.traces.clickhouse.literals import rows
from noria.stores.traces.clickhouse.stamps import STEP, Stamps

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_MOST_RECORDS = 20_000
_MOST_BYTES = 64 << 20
_MOST_WAITING = 512 << 20
_TRIES = 3
_FORMAT: dict[str, int | str] = {
    "input_format_json_read_arrays_as_strings": 1,  # lists are kept as they came
    "input_format_json_read_objects_as_strings": 1,
    "precise_float_parsing": 1,
    "max_partitions_per_insert_block": 0,  # clocks may be wrong
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}

log = structlog.get_logger(__name__)


class Piece(NamedTuple):
    """A span on its way."""

    trace_id: str
    span_id: str
    start_ns: int
    line: bytes


class _Append(NamedTuple):
    pieces: Sequence[Piece]
    scores: Sequence[bytes]
    size: int
    done: asyncio.Future[None]

    @property
    def records(self) -> int:
        return len(self.pieces) + len(self.scores)


class Inserts:
    """Takes appends, and makes inserts of them, one after the other."""

    def __init__(self, connections: Connections, place: Address, stamps: Stamps) -> None:
        self._connections = connections
        self._place = place
        self._stamps = stamps
        self._waiting: list[_Append] = []
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._serve(), name="noria-clickhouse-inserts")
        self.appended = 0
        """Records that were acknowledged."""
        self.inserts = 0
        """Inserts made."""
        self.repeated = 0
        """Inserts that were tried again."""

    @property
    def pending(self) -> int:
        """Records that wait to be acknowledged."""
        return sum(item.records for item in self._waiting)

    async def append(self, pieces: Sequence[Piece], scores: Sequence[bytes]) -> None:
        """Return when all are on disk. Raises ``Unavailable``, ``StorageFull``."""
        size = sum(len(piece.line) for piece in pieces) + sum(map(len, scores))
        if self._closing:
            raise Unavailable("The trace store is closed.", kept="This batch was not recorded.")
        self.check_room()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Append(pieces, scores, size, done))
        self._waiting_bytes += size
        self._arrived.set()
        await done

    def check_room(self) -> None:
        """Raise ``Unavailable`` while too much waits."""
        if self._waiting_bytes > _MOST_WAITING:
            raise Unavailable(
                f"The trace store at {self._place} is {self._waiting_bytes:,} bytes behind.",
                retry_after_s=2.0,
                kept="Earlier records are safe; this batch was not recorded.",
                hint="Send less, or give ClickHouse more.",
            )

    async def close(self) -> None:
        """Insert what waits, then stop."""
        self._closing = True
        self._arrived.set()
        await self._task

    async def _serve(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._closing and self._waiting_bytes < _MOST_BYTES:
                await asyncio.sleep(self._place.batch_ms / 1000)
            group = self._next()
            if not group:
                if self._closing:
                    return
                continue
            try:
                await self._insert(group)
            except Exception as error:  # the task's boundary: if it ended here, every later append would wait for ever
                log.exception("clickhouse.insert_failed", error=type(error).__name__)
                _answer(group, Unavailable(f"The insert failed ({type(error).__name__}).", kept="It was not recorded."))

    def _next(self) -> list[_Append]:
        """What waits, as far as one insert goes."""
        taken, size, records = 0, 0, 0
        for item in self._waiting:
            if taken and (size + item.size > _MOST_BYTES or records + item.records > _MOST_RECORDS):
                break
            taken, size, records = taken + 1, size + item.size, records + item.records
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._waiting_bytes -= size
        if not self._waiting and not self._closing:
            self._arrived.clear()
        return group

    async def _insert(self, group: list[_Append]) -> None:
        try:
            await self._connections.write(lambda client: self._write(client, group))
        except InvalidInput as error:
            # Records were checked, so this is a defect; still one append must not sink the others.
            if len(group) == 1:
                _answer(group, error)
                return
            for item in group:
                await self._insert([item])
        except NoriaError as error:
            log.error("clickhouse.insert_failed", error=str(error), appends=len(group))  # noqa: TRY400 - the sentence says it
            _answer(group, error)
        else:
            self.appended += sum(item.records for item in group)
            _answer(group, None)

    # -- the writer's thread

    def _write(self, client: Client, group: Sequence[_Append]) -> None:
        self._stamps.keep_time(client)
        pieces = {(piece.trace_id, piece.span_id): piece for item in group for piece in item.pieces}  # the last counts
        if pieces:
            elsewhere = self._elsewhere(client, list(pieces.values()))
            self._in_time(client, list(pieces.values()), elsewhere)
        if scores := [line for item in group for line in item.scores]:
            batch = self._stamps.take(len(scores))
            lines = [stamped(line, arrived=batch + index * STEP) for index, line in enumerate(scores)]
            self._send(client, "scores", lines, batch)

    def _in_time(self, client: Client, pieces: Sequence[Piece], elsewhere: Sequence[tuple[str, str, int]]) -> None:
        """Insert, and again with new stamps while it took so long that a reader of arrivals may have passed them by."""
        for _ in range(_TRIES):
            if self._spans(client, pieces, elsewhere) <= self._place.window_s / 2:
                return
            log.warning("clickhouse.slow_insert", spans=len(pieces))
        raise Unavailable(
            f"The trace store at {self._place} is too slow: an insert takes more than {self._place.window_s / 2:g} s.",
            retry_after_s=10.0,
            kept="The spans may be kept; sent again, they replace themselves.",
            hint="Give ClickHouse more, or raise window_s in its URL.",
        )

    def _elsewhere(self, client: Client, pieces: Sequence[Piece]) -> list[tuple[str, str, int]]:
        """Earlier copies of spans that had another start."""
        now = {(piece.trace_id, piece.span_id): piece.start_ns for piece in pieces}
        wanted = rows(now)
        found = client.query(
            f"SELECT trace_id, span_id, start_ns FROM places WHERE (trace_id, span_id) IN {wanted}"  # noqa: S608 - literals
        ).result_rows
        return [(trace, span, start) for trace, span, start in found if now[trace, span] != start]

    def _spans(self, client: Client, pieces: Sequence[Piece], elsewhere: Sequence[tuple[str, str, int]]) -> float:
        """Insert; the seconds from the stamp to the answer."""
        began = time.monotonic()
        batch = self._stamps.take(len(pieces) + len(elsewhere))
        lines = [stamped(piece.line, arrived=batch + index * STEP, batch=batch) for index, piece in enumerate(pieces)]
        lines += [
            _gone(*row, arrived=batch + index * STEP, batch=batch) for index, row in enumerate(elsewhere, len(pieces))
        ]
        self._send(client, "spans", lines, batch)
        return time.monotonic() - began

    def _send(self, client: Client, table: str, lines: Sequence[bytes], batch: int) -> None:
        settings = _FORMAT | {"insert_deduplication_token": f"{table}-{batch}"}
        if self._place.async_insert:
            # The server mixes inserts of several processes, so it can't tell one of them by its token: a score whose
            # insert is tried again may be there twice.
            settings |= {"async_insert": 1, "wait_for_async_insert": 1}
            settings |= {"insert_deduplication_token": "", "deduplicate_blocks_in_dependent_materialized_views": 0}
        if self._place.cluster:
            settings |= {"insert_quorum": "auto", "distributed_foreground_insert": 1}
        for attempt in range(1, _TRIES + 1):
            try:
                client.raw_insert(table, insert_block=b"".join(lines), settings=settings, fmt="JSONEachRow")
            except Exception as error:
                if attempt == _TRIES or not passing(error):
                    raise
                self.repeated += 1
                log.warning("clickhouse.insert_again", table=table, error=type(error).__name__)
                time.sleep(0.2 * 4**attempt)
            else:
                self.inserts += 1
                return


def passing(error: Exception) -> bool:
    """Whether an insert may succeed when it is tried again as it is: nobody answered, or the server was busy."""
    code = getattr(error, "code", None)
    return code is None or code in {202, 209, 210, 241, 242, 252, 285, 319, 425, 999}


def _gone(trace_id: str, span_id: str, start_ns: int, *, arrived: int, batch: int) -> bytes:
    row = {
        "trace_id": trace_id, "span_id": span_id, "start_ns": start_ns, "arrived": arrived, "batch": batch, "gone": 1,
    }  # fmt: skip
    return msgspec.json.encode(row) + b"\n"


def _answer(group: Sequence[_Append], error: Exception | None) -> None:
    for item in group:
        with contextlib.suppress(asyncio.InvalidStateError):  # cancelled meanwhile
            if error is None:
                item.done.set_result(None)
            else:
                item.done.set_exception(error)
