"""The spool of one worker on a data folder that another process holds: a folder of its own beside the holder's spool.

An append is durable as in the holder's own; nothing crosses a socket for it. The worker tells on a page of shared memory up
to where it is durable, the holder up to where it has moved it into its own spool, and the worker deletes what was moved.
Each process has a new folder, in which nobody else ever writes. It holds a lock on it as long as it lives; who finds the lock
free may take all that is there, see :mod:`noria.stores.traces.embedded.gathering`.

spool/workers/NAME/   the segments, and
    lock              held by the worker's process
    page              shared memory: what is durable, what was moved, how often to begin anew
    moved             written by the holder: what was moved, for after a crash
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import structlog

from noria.stores.disk import disk_errors, make_folder, sync_folder
from noria.stores.folder_lock import try_lock
from noria.stores.page import Page
from noria.stores.segments import START
from noria.stores.spool import OpenSpool, Spool

FOLDER = "workers"
"""Where, in the holder's spool, the folders of workers are."""
LOCK, PAGE = "lock", "page"
DURABLE, MOVED, ANEW = 0, 1, 2
"""Slots of the page. The last one counts how often the holder asked for a new segment."""
LOOK_S = 0.1
"""How often a worker looks what was moved."""

log = structlog.get_logger(__name__)


class WorkerSpool:
    """An open spool of this process; make one with :meth:`open`, on an event loop."""

    def __init__(self, spool: Spool, page: Page, lock: int) -> None:
        self.spool = spool
        """What appends go to."""
        self._page = page
        self._lock = lock
        self._anew = 0
        self._task = asyncio.create_task(self._look(), name="noria-worker-spool")

    @classmethod
    def open(cls, spool_folder: Path, name: str, open_spool: OpenSpool = Spool.open) -> WorkerSpool:
        """Make the folder ``name`` beside the holder's spool. The holder sees it when it is complete, and held.

        Raises:
            StorageFull, InvalidInput: it can't be made.
        """
        workers = spool_folder / FOLDER
        partial, folder = workers / f".{name}", workers / name
        with disk_errors(folder):
            make_folder(workers, mode=0o700)
            partial.mkdir(mode=0o700)
            lock = os.open(partial / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                try_lock(lock, shared=False)
                page = Page.make(partial / PAGE)
                partial.rename(folder)
                sync_folder(workers)
                spool = open_spool(folder, taken=START)
            except BaseException:
                os.close(lock)
                raise
        spool.tell(lambda end: page.put(DURABLE, end))
        return cls(spool, page, lock)

    async def close(self) -> None:
        """Finish what is queued. What was not moved yet stays for the holder, which may take it from now on."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await asyncio.to_thread(self.spool.close)
        self._page.close()
        os.close(self._lock)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                anew = self._page.get(ANEW).segment
                if anew != self._anew:
                    await asyncio.to_thread(self.spool.begin_anew)
                    self._anew = anew
                moved = self._page.get(MOVED)
                if moved != START:
                    self.spool.release(moved)
            except OSError as error:  # what stays is moved already; it is deleted the next time
                log.warning("worker_spool.not_released", error=str(error))
