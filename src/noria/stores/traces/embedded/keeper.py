"""The open store, synchronous: the file, the recent tables, the spool, the index, and the threads' halves of the work.

Taking and settling have one thread each; any number may read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb
import structlog

from noria.core.errors import NoriaError, Unavailable
from noria.stores.segments import Position
from noria.stores.spool import OpenSpool, Spool
from noria.stores.traces.embedded.database import connect
from noria.stores.traces.embedded.gathering import Gathering
from noria.stores.traces.embedded.holdings import Holdings
from noria.stores.traces.embedded.intake import Intake
from noria.stores.traces.embedded.reading import Moment, moment
from noria.stores.traces.embedded.settle import Settler, checkpoint
from noria.stores.traces.embedded.sidecar import Sidecar

_WAITING = 3
"""So many recent tables may there be; then no more is taken until one is settled."""
_OLD_S = 300.0
"""A recent table is settled after so long, full or not, so that the spool can be forgotten."""
_PATIENCE_S = 60.0
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class Keeper:
    """What :class:`~noria.stores.traces.duckdb.DuckDBTraces` has under its event loop."""

    def __init__(self, path: Path, spool_folder: Path, open_spool: OpenSpool = Spool.open) -> None:
        """Open everything. The file comes first: its lock keeps a second process away from the spool, too."""
        self._path = path
        self._folder = spool_folder
        self._room = threading.Condition()
        self._settling = threading.Lock()
        self.sealed: Callable[[], None] = lambda: None
        """Called, by the thread that takes, when there is something to settle, or to note the words of."""
        connection = connect(path, spool_folder)
        try:
            self._begin(connection)
            taken = self._holdings.settled_position
            self.spool = open_spool(spool_folder, taken=taken)
            self.gathering = Gathering(self.spool, spool_folder, taken)
            """What moves the records of workers into the spool."""
        except BaseException:
            connection.close()
            raise
        self._intake = Intake(self._holdings, self.spool, spool_folder)

    @property
    def intake(self) -> Intake:
        """What takes from the spool."""
        return self._intake

    @property
    def holdings(self) -> Holdings:
        """What there is."""
        return self._holdings

    @property
    def unindexed(self) -> int:
        """So many numbers of settled spans are not in the rollups, or their words in no file."""
        holdings = self._holdings
        worded = sum(words.end - words.first for words in holdings.words)
        return int(max(0, holdings.settled - holdings.rolled, holdings.settled - 1 - worded))

    def take(self, until: Position) -> None:
        """Take everything before ``until``. Everything stays in the spool when it raises ``Unavailable``."""
        try:
            while self._intake.position < until and time.monotonic() < self._intake.deadline:
                self._wait_for_room()
                if not self._intake.take_some():
                    break
                if len(self._holdings.recents) > 1 or self._holdings.filled.unread:
                    self.sealed()
        except (duckdb.FatalException, duckdb.InternalException, duckdb.ConnectionException) as error:
            self._reopen(error)
        except (duckdb.Error, OSError) as error:
            raise _behind(error) from error

    def settle(self, *, everything: bool = False) -> None:
        """Settle what is sealed, or old; or everything. Raises ``Unavailable``: it stays where it is, and in the spool.

        Everything can only be settled while nothing is taken.
        """
        with self._settling:
            filled = self._holdings.filled
            if not filled.empty and (everything or time.monotonic() > filled.born + _OLD_S):
                self._intake.seal()
            try:
                for recent in self._holdings.recents:
                    self._settler.word(recent)
                while len(self._holdings.recents) > 1 and time.monotonic() < self._intake.deadline:
                    self._settler.settle(self._holdings.recents[0])
                    self.spool.release(self._holdings.settled_position)
                    with self._room:
                        self._room.notify_all()
            except (duckdb.Error, OSError) as error:
                raise Unavailable(
                    f"The trace store can't settle records now: {error}.", kept="They are safe in the spool."
                ) from error

    def index(self) -> bool:
        """Make a part of the index again that is missing; whether there may be more."""
        with self._settling:
            more = self._settler.roll() or self._settler.mend_words()
            if more:
                log.info("traces.index_made_again", left=self.unindexed)
            return more

    def read(self, question: Callable[[Moment], Answer]) -> Answer:
        """What ``question`` makes of this moment. Raises ``Unavailable``."""
        try:
            with moment(self._holdings) as now:
                return question(now)
        except duckdb.Error as error:
            raise Unavailable(f"The trace store can't answer: {error}.") from error

    def close(self) -> None:
        """Checkpoint and close the file and the spool."""
        try:
            with self._holdings.connection.cursor() as cursor:
                checkpoint(cursor)
        except duckdb.Error as error:  # its log is replayed at the next open
            log.warning("traces.checkpoint_failed", error=str(error))
        finally:
            self._holdings.connection.close()
            self.spool.close()

    def _begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._holdings = Holdings(connection)
        [(store_id,)] = connection.execute("SELECT store_id FROM settled.meta").fetchall()
        self._settler = Settler(self._holdings, Sidecar(self._path, store_id))
        self._settler.mend()

    def _wait_for_room(self) -> None:
        waited = time.monotonic() + _PATIENCE_S
        with self._room:
            while len(self._holdings.recents) > _WAITING:
                self.sealed()
                if not self._room.wait(1.0) and time.monotonic() > waited:
                    raise Unavailable(
                        "The trace store can't take records now: settling them takes too long.",
                        kept="They are safe in the spool.",
                    )

    def _reopen(self, error: Exception) -> None:
        """DuckDB refuses all further work on this connection: take a new one, and everything from the spool again.

        Where that fails the closed one stays, and the next take comes here again.
        """
        with self._settling:
            self._holdings.connection.close()
            try:
                connection = connect(self._path, self._folder)
                self._begin(connection)
            except (NoriaError, duckdb.Error) as still:
                raise _behind(still) from error
            before = self._intake
            self._intake = Intake(self._holdings, self.spool, self._folder)
            self._intake.carry_on(before)
        raise _behind(error) from error


def _behind(error: Exception) -> Unavailable:
    return Unavailable(f"The trace store can't take records now: {error}.", kept="They are safe in the spool.")
