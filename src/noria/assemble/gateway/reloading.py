"""The configuration, read again while the server runs: providers, routes and limits change, and no call is lost.

A call under way keeps the target that it was begun with. A file that is wrong changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from noria.core.errors import InvalidInput
from noria.core.reloads import Reloaded
from noria.settings import Settings

LIVE = (
    *("providers", "prices", "routes", "aliases", "guards", "caches", "cache_mb"),
    *("max_calls", "max_waiting", "max_late_ms"),
)
"""Settings that a reload puts in force; the others need a restart."""

_log = structlog.get_logger(__name__)


class Reloading:
    """Takes a changed configuration.

    Arguments:
        settings: those in force.
        read: reads them anew; None for a workspace that was opened with settings made by a program.
        prepare: opens what settings need; called in a thread, for it may wait.
        apply: puts settings in force, whole or not at all. It is called on the event loop, so no call sees half of them.
        note: tells the audit log.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings] | None,
        prepare: Callable[[Settings], None],
        apply: Callable[[Settings], None],
        note: Callable[[Settings], None],
    ) -> None:
        self._settings = settings
        self._read = read
        self._prepare = prepare
        self._apply = apply
        self._note = note
        self._one_at_a_time = asyncio.Lock()
        self.done: Callable[[], None] = lambda: None
        """Called when it was read again and is in force."""

    async def reload(self) -> Reloaded:
        """Read the configuration and put it in force.

        Raises:
            InvalidInput: it is wrong, or there is no file to read; all stays as it was.
            Unavailable: what it needs does not answer; all stays as it was.
        """
        if self._read is None:
            raise InvalidInput("This server was not started from a configuration that could be read again.")
        async with self._one_at_a_time:
            try:
                found = await asyncio.to_thread(self._read)
                differing = [
                    name for name in Settings.__struct_fields__ if getattr(found, name) != getattr(self._settings, name)
                ]
                changed = {name: getattr(found, name) for name in differing if name in LIVE}
                now = msgspec.structs.replace(self._settings, **changed)
                await asyncio.to_thread(self._prepare, now)
                self._apply(now)
            except InvalidInput as error:
                _log.warning("configuration.refused", error=error.message)
                raise InvalidInput(
                    error.message, kept="The configuration before it stays in force.", hint=error.hint
                ) from error
            self._settings = now
            if changed:
                await asyncio.to_thread(self._note, now)
            needs_restart = tuple(name for name in differing if name not in LIVE)
            _log.info("configuration.reloaded", changed=list(changed), needs_restart=list(needs_restart))
            self.done()
            return Reloaded(changed=tuple(changed), needs_restart=needs_restart)
