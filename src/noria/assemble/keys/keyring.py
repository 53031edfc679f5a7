"""The virtual keys in memory, so that a call's key is checked without asking the database."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from noria.core.errors import NoriaError
from noria.core.keys import HeldKey, Key, id_of
from noria.core.protocols import Clock
from noria.stores.catalogue import Catalogue

KEEP_USES_S = 60.0
"""Seconds between two times that the last uses of keys are written down."""
_AGAIN_NS = 1_000_000_000
"""How long a failure to read the keys is left alone."""

_log = structlog.get_logger(__name__)


class Keyring:
    """All keys, as they were when the catalogue last changed.

    A key that is made, rotated or revoked in this process is so at once; one that another process on a shared catalogue
    changes, within the second that :mod:`noria.assemble.workers.following` takes to see it. Unknown ids cost no look-up.

    Arguments:
        catalogue: where keys are kept.
        now: the clock that ends keys.
    """

    def __init__(self, catalogue: Catalogue, now: Clock) -> None:
        self._catalogue = catalogue
        self._now = now
        self._held: dict[str, HeldKey] = {}
        self._checked: dict[str, HeldKey] = {}  # by the whole key, so that it is hashed once; as many as there are
        self._seen = -1
        self._as_of = -1
        self._wait_until_ns = 0
        self._uses: dict[str, int] = {}
        self._keeping: asyncio.Task[None] | None = None

    def find(self, given: str) -> Key | None:
        """The key in force that ``given`` is; None where it is none."""
        now = self._now()
        if self._catalogue.changes != self._as_of:
            self._catch_up(now)
        held = self._checked.get(given)
        if held is None:
            held = self._held.get(id_of(given))
            if held is None or not held.opens(given, now):
                return None
            if held.is_newest(given):
                self._checked[given] = held
        elif not held.in_force(now):
            return None
        self._uses[held.key.id] = now
        return held.key

    def name_of(self, id: str) -> str:
        """What people call a key, in force or not; empty where there is none of that id."""
        if self._catalogue.changes != self._as_of:
            self._catch_up(self._now())
        held = self._held.get(id)
        return "" if held is None else held.key.name

    def start(self) -> None:
        """Write down from time to time when keys were used."""
        self._keeping = asyncio.create_task(self._keep(), name="noria-key-uses")

    async def close(self) -> None:
        """Write down the last uses."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        await self.keep_uses()

    async def keep_uses(self) -> None:
        """Write down when keys were used since the last time."""
        used, self._uses = self._uses, {}
        if not used:
            return
        try:
            await asyncio.to_thread(self._catalogue.keys.note_uses, used)
        except NoriaError as error:  # worth a line, not a call
            self._uses = used | self._uses
            _log.warning("keys.uses_not_kept", error=str(error))

    @property
    def size(self) -> int:
        """How many keys are held."""
        return len(self._held)

    def _catch_up(self, now: int) -> None:
        if now < self._wait_until_ns:
            return
        changes = self._catalogue.changes
        try:
            changed, self._seen = self._catalogue.keys.changed(self._seen)
        except NoriaError as error:  # the keys that are known still open what they opened
            self._wait_until_ns = now + _AGAIN_NS
            _log.warning("keys.not_read", error=str(error))
            return
        self._as_of = changes
        self._held.update((held.key.id, held) for held in changed)
        self._checked.clear()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_USES_S)
            await self.keep_uses()
