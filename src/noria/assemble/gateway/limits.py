"""The limits in force: which of them a request counts in, and their tending beside the calls."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Sequence

import structlog

from noria.core.attributes import PURPOSE, SHADOW
from noria.core.errors import NoriaError
from noria.core.limits import Limit, Standing, amount
from noria.core.protocols import Clock
from noria.core.requests import Request
from noria.stores.catalogue import Catalogue
from noria.targets.allowances import Allowances, Counted
from noria.targets.windows import bounds

EVERY_S = 1.0
"""Seconds between two times that a process tells what it used."""
_TIDY_EVERY = 300
_MOST = 4096
_LONGEST = 200
_AGAIN_NS = 1_000_000_000

_log = structlog.get_logger(__name__)


class Limits:
    """Finds the limits of a request, and keeps this process's leases.

    Arguments:
        catalogue: where limits and their counters are.
        now: the clock.
        name_of: what a key of an id is called.
    """

    def __init__(self, catalogue: Catalogue, now: Clock, name_of: Callable[[str], str]) -> None:
        self._catalogue = catalogue
        self._now = now
        self._name_of = name_of
        self._limits: list[Limit] = []
        self._found: dict[tuple[str, str, str, str, bool], tuple[Counted, ...]] = {}
        self._as_of = -1
        self._wait_until_ns = 0
        self._tending: asyncio.Task[None] | None = None
        self.allowances = Allowances(catalogue.limits, secrets.token_hex(8), now)
        """This process's leases."""

    def matching(self, request: Request) -> Sequence[Counted]:
        """The limits that a request counts in.

        A mirrored call counts in those of everybody alone; one that Noria makes by itself in those of whoever's call caused it, with
        what it uses: nobody has made one request more.
        """
        changes = self._catalogue.changes
        if changes != self._as_of and self._now() >= self._wait_until_ns:
            self._read(changes)
        if not self._limits:
            return ()
        caller, caused = request.caller, PURPOSE in request.attributes
        if SHADOW in request.attributes:  # nobody asked for it but whoever runs Noria
            key = ("", "", "", "", caused)
        elif caused:
            key = (caller.key_id, caller.team, caller.app, caller.user_id, caused)
        else:
            app = "" if "/" in request.model else request.model.partition("@")[0]
            key = (caller.key_id, caller.team, app, request.lineage.user_id or "", caused)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _MOST:  # names of users come from callers
                self._found.clear()
            found = self._found[key] = tuple(self._of(*key[:4], caused=caused))
        if found and self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="noria-limits")
        return found

    async def standings(self) -> dict[str, list[Standing]]:
        """How each limit stands, for those whose use was counted in the present window: the fullest first."""
        now = self._now()
        if self._tending is not None:
            await self.allowances.tend(all=True)  # what is leased and not used is no use
        used = await asyncio.to_thread(self._catalogue.limits.used, now)
        limits = {_prefix(limit): limit for limit in await asyncio.to_thread(self._catalogue.limits.list)}
        found: dict[str, list[Standing]] = {limit.name: [] for limit in limits.values()}
        for counter, ends, units in used:
            prefix, _, who = counter.partition("\n")
            limit = limits.get(prefix)
            if limit is None or (limit.measure != "concurrency" and bounds(limit, now)[1] != ends):
                continue
            if limit.measure == "concurrency" and not units:
                continue
            found[limit.name].append(
                Standing(
                    limit=limit.name,
                    measure=limit.measure,
                    who=who,
                    amount=limit.amount,
                    used=amount(limit.measure, units),
                    remaining=amount(limit.measure, max(0, limit.units - units)),
                    resets_ns=0 if limit.measure == "concurrency" else ends,
                    name=self._name(limit, who),
                )
            )
        return found

    async def close(self) -> None:
        """Tell what was used, and give back all leases."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        try:
            await self.allowances.close()
        except NoriaError as error:  # the leases end by themselves
            _log.warning("limits.not_settled", error=str(error))

    def _read(self, changes: int) -> None:
        try:
            self._limits = self._catalogue.limits.list()
        except NoriaError as error:  # those that are known stay in force
            self._wait_until_ns = self._now() + _AGAIN_NS
            _log.warning("limits.not_read", error=str(error))
            return
        self._found.clear()
        self._as_of = changes

    def _of(self, key_id: str, team: str, app: str, user: str, *, caused: bool) -> Sequence[Counted]:
        named = {"all": "", "key": key_id, "team": team, "app": app, "user": user}
        found = []
        for limit in self._limits:
            if caused and limit.measure in {"requests", "concurrency"}:
                continue
            who = named[limit.of]
            if (limit.of == "all" or who) and limit.who in {"", who}:
                who = user_hash(who) if limit.of == "user" else _shown(who)
                found.append(Counted(limit, f"{_prefix(limit)}\n{who}", who, self._name(limit, who)))
        return found

    def _name(self, limit: Limit, who: str) -> str:
        return self._name_of(who) if limit.of == "key" else ""

    async def _tend(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(EVERY_S)
            rounds += 1
            try:
                await self.allowances.tend()
                if rounds % _TIDY_EVERY == 0:
                    await asyncio.to_thread(self._catalogue.limits.tidy, self._now())
            except NoriaError as error:  # leases go on until they end; then calls are refused
                _log.warning("limits.not_tended", error=str(error))


def user_hash(user: str) -> str:
    """What a counter calls a user: counters outlive an erasure, and must not name anybody."""
    return hashlib.sha256(user.encode(errors="replace")).hexdigest()[:16]


def _shown(who: str) -> str:
    """A name as counters carry it. Names of apps come from callers, and may be anything."""
    return who if len(who) <= _LONGEST and who.isprintable() else f"#{user_hash(who)}"


def _prefix(limit: Limit) -> str:
    window = "" if limit.measure == "concurrency" else limit.window
    return f"{limit.name} {limit.measure} {window} {limit.of}"
