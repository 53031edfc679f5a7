"""Clients of ClickHouse, one a thread, and what its errors mean to a user.

``clickhouse-connect`` speaks HTTP, which every load balancer and proxy in front of a cluster understands; its answers
come in ClickHouse's native columns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from noria.core.errors import InvalidInput, NoriaError, StorageFull, Unavailable
from noria.stores.traces.clickhouse.address import Address

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_T = TypeVar("_T")
_READERS = 4
_CONNECT_S = 5
_FULL = frozenset({243, 424})
"""Codes: NOT_ENOUGH_SPACE, and the file system's errors that name no other (checked for their text)."""
_UNUSABLE = frozenset({81, 192, 193, 194, 497, 516})
"""Codes: no such database, user, password; no privilege."""
_ASKING: dict[str, int | str] = {
    "do_not_merge_across_partitions_select_final": 1,  # copies of a span share their start, and so their day
    "precise_float_parsing": 1,  # numbers are compared with what was sent, to the last bit
    "allow_simdjson": 0,  # it refuses a whole document for one large whole number
    "max_query_size": 64 << 20,  # lists of ids
    "max_ast_elements": 2_000_000,
    "max_expanded_ast_elements": 4_000_000,
    "distributed_product_mode": "local",  # a trace's scores and places are on the shard of its spans
}


class Connections:
    """Threads with a client each."""

    def __init__(self, place: Address, password: str) -> None:
        self._place = place
        self._password = password
        self._local = threading.local()
        self._clients: list[Client] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="noria-clickhouse-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="noria-clickhouse-write")
        self._closed = False

    async def read(self, work: Callable[[Client], _T]) -> _T:
        """Do something in a reader's thread. Raises ``Unavailable``, ``StorageFull`` or ``InvalidInput``."""
        return await self._run(self._readers, work)

    async def write(self, work: Callable[[Client], _T]) -> _T:
        """Do something in the writer's thread: one thing at a time."""
        return await self._run(self._writer, work)

    async def close(self) -> None:
        """Let what runs end, and close."""
        self._closed = True
        for pool in (self._writer, self._readers):
            await asyncio.get_running_loop().run_in_executor(None, pool.shutdown)
        for client in self._clients:
            client.close()
        self._clients.clear()

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[Client], _T]) -> _T:
        if self._closed:
            raise Unavailable("The trace store is closed.")
        return await asyncio.get_running_loop().run_in_executor(pool, self._work, work)

    def _work(self, work: Callable[[Client], _T]) -> _T:
        with_errors = errors(self._place)
        try:
            return work(self._client())
        except NoriaError:
            raise
        except Exception as error:
            raise with_errors(error) from error

    def _client(self) -> Client:
        found: Client | None = getattr(self._local, "client", None)
        if found is None:
            found = self._local.client = connect(self._place, self._password)
            self._clients.append(found)
        return found


def asking(place: Address) -> Mapping[str, int | str]:
    """Settings of every question: what it takes for all stores to mean the same by it."""
    if place.folder:
        return _ASKING | {"max_threads": 1}
    if not place.cluster:
        return _ASKING
    # A replica that is further behind than readers of arrivals wait for is not asked; where there is no other, nobody is.
    behind = max(1, int(place.window_s / 2))
    return _ASKING | {
        "max_replica_delay_for_distributed_queries": behind,
        "fallback_to_stale_replicas_for_distributed_queries": 0,
    }


def connect(place: Address, password: str, *, database: str | None = None) -> Client:
    """A client. ``database`` is another than the address names.

    Raises:
        InvalidInput: the extra is not installed.
    """
    get_client = _driver()
    settings = asking(place)
    named = database or place.database
    if place.folder:
        return get_client(interface="chdb", path=place.folder, database=named, settings=dict(settings))
    return get_client(
        host=place.host,
        port=place.port,
        username=place.user,
        password=place.password or password,
        database=named,
        interface="https" if place.secure else "http",
        settings=dict(settings),
        connect_timeout=_CONNECT_S,
        autogenerate_session_id=False,  # a session would let the server do one thing at a time
        client_name="noria",
    )


def _driver() -> Callable[..., Client]:
    try:
        import clickhouse_connect  # noqa: PLC0415  # 0.3 s that other stores need not pay
    except ImportError as error:
        raise InvalidInput(
            "ClickHouse needs the clickhouse-connect package.", hint="Install it with: pip install 'noria[clickhouse]'."
        ) from error
    return clickhouse_connect.get_client


def errors(place: Address) -> Callable[[Exception], NoriaError]:
    """What an error of the driver or the server means, at ``place``."""

    def translated(error: Exception) -> NoriaError:
        code = getattr(error, "code", None)
        reason = _reason(error)
        if code in _FULL or "No space left" in reason:
            return StorageFull(
                f"The trace store at {place} takes no more: {reason}.",
                kept="Everything recorded before is safe; this batch was not recorded.",
                hint="Free space on its disks.",
            )
        if code in _UNUSABLE:
            return InvalidInput(f"The trace store at {place} can't be used: {reason}.", hint="Check its URL and user.")
        return Unavailable(f"The trace store at {place} does not answer: {reason}.", hint="Try again.")

    return translated


def _reason(error: Exception) -> str:
    """The server's own words, first line, without the statement; or the driver's."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return first.partition("DB::Exception: ")[2].rstrip(".")[:300] or first.rstrip(".")[:300]
