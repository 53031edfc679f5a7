"""Limits, and the counters that several processes share.

A counter's ``used`` is what was spent in its window, and what processes hold of it to spend without asking. A process that
dies leaves its lease, which whoever comes to the counter next takes back once it is over.
"""

from __future__ import annotations

import builtins
import functools
from typing import NamedTuple

import msgspec
from sqlalchemy import BigInteger, Connection, Executable, String, bindparam, delete, insert, select, update

from noria.core.audit import SYSTEM
from noria.core.errors import InvalidInput
from noria.core.limits import Ask, Grant, Limit
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database, inserting
from noria.stores.catalogue.names import check_name, check_text, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import keys, limit_counters, limit_leases, limits

_MOST = 9_000_000_000
"""Largest amount: as many dollars as whole billionths of one fit into 64 bits."""
_KEPT_NS = 3600 * 10**9
"""How long counters of windows that are over stay."""


class Limits:
    """``catalogue.limits``; also :class:`noria.core.limits.SharedCounters`."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def put(self, limit: Limit, *, by: str = SYSTEM) -> Limit:
        """Store a limit under its name, in place of what had the name before. A key may be given by its name.

        Raises:
            InvalidInput: it makes no sense.
            UnknownName: there is no such key.
        """
        _check(limit)
        with self._database.write() as connection:
            if limit.of == "key" and limit.who:
                limit = _with_id(connection, limit)
            body = encode(limit)
            named = limits.c.name == limit.name
            if connection.execute(select(limits.c.body).where(named)).scalar() != body:
                connection.execute(delete(limits).where(named))
                connection.execute(insert(limits).values(name=limit.name, body=body))
                told = {"measure": limit.measure, "amount": limit.amount, "window": limit.window, "of": limit.of}
                who = "a user" if limit.of == "user" and limit.who else limit.who
                record(connection, self._now, "limit.set", limit.name, by=by, who=who, **told)
        return limit

    def list(self) -> builtins.list[Limit]:
        """All limits, by name."""
        query = select(limits.c.body).order_by(limits.c.name)
        with self._database.read() as connection:
            return [decode(body, Limit) for body in connection.execute(query).scalars()]

    def remove(self, name: str, *, by: str = SYSTEM) -> Limit:
        """Forget a limit, and return what it was. Raises ``UnknownName``."""
        check_text("limit", name)
        with self._database.write() as connection:
            body = connection.execute(select(limits.c.body).where(limits.c.name == name)).scalar()
            if body is None:
                raise unknown("limit", name, sorted(connection.execute(select(limits.c.name)).scalars()))
            connection.execute(delete(limits).where(limits.c.name == name))
            record(connection, self._now, "limit.removed", name, by=by)
        return decode(body, Limit)

    # -- counters ------------------------------------------------------------------------------------------------

    def renew(self, holder: str, asks: builtins.list[Ask], *, now_ns: int, until_ns: int) -> builtins.list[Grant]:
        """See :class:`noria.core.limits.SharedCounters`. All asks are one transaction; each locks its counter's row."""
        grants: dict[tuple[str, int], Grant] = {}
        with self._database.tally() as connection:
            for ask in sorted(asks, key=lambda ask: (ask.counter, ask.starts_ns)):  # one order: nobody waits in a ring
                grants[ask.counter, ask.starts_ns] = _renew(connection, holder, ask, now_ns, until_ns)
        return [grants[ask.counter, ask.starts_ns] for ask in asks]

    def used(self, now_ns: int, most: int = 10_000) -> builtins.list[tuple[str, int, int]]:
        """Counters of windows that are not over: name, end and units used, the fullest first."""
        query = (
            select(limit_counters.c.counter, limit_counters.c.ends_ns, limit_counters.c.used)
            .where(limit_counters.c.ends_ns > now_ns)
            .order_by(limit_counters.c.used.desc())
            .limit(most)
        )
        with self._database.read() as connection:
            return [(row.counter, row.ends_ns, row.used) for row in connection.execute(query)]

    def tidy(self, now_ns: int) -> None:
        """Delete counters of windows that are long over, with their leases."""
        with self._database.tally() as connection:
            over = limit_counters.c.ends_ns < now_ns - _KEPT_NS
            gone = connection.execute(delete(limit_counters).where(over).returning(limit_counters.c.counter)).scalars()
            if gone.first() is not None:
                known = select(limit_counters.c.counter).where(
                    limit_counters.c.counter == limit_leases.c.counter,
                    limit_counters.c.starts_ns == limit_leases.c.starts_ns,
                )
                connection.execute(delete(limit_leases).where(~known.exists()))

    def forget_leases(self) -> None:
        """Free what earlier processes held, where only one works on the catalogue at a time; else their leases end by themselves."""
        if self._database.shared:
            return
        with self._database.tally() as connection:
            held = select(limit_leases.c.counter, limit_leases.c.starts_ns, limit_leases.c.granted)
            for row in connection.execute(held).all():
                connection.execute(
                    update(limit_counters)
                    .where(limit_counters.c.counter == row.counter, limit_counters.c.starts_ns == row.starts_ns)
                    .values(used=limit_counters.c.used - row.granted)
                )
            connection.execute(delete(limit_leases))


def _renew(connection: Connection, holder: str, ask: Ask, now_ns: int, until_ns: int) -> Grant:
    ways, place = _renewing(connection.dialect.name), {"counter_": ask.counter, "starts": ask.starts_ns}
    connection.execute(
        ways.made, {"counter": ask.counter, "starts_ns": ask.starts_ns, "ends_ns": ask.ends_ns, "used": 0}
    )
    used = connection.execute(ways.used, place).scalar_one()
    # Own lease and those that are over: what they held is free again, and then this one holds anew.
    used -= sum(connection.execute(ways.freed, {**place, "holder_": holder, "now": now_ns}).scalars())
    used += ask.spent
    held = max(ask.keep, min(ask.wish, ask.limit - used))
    if held:
        lease = {"counter": ask.counter, "starts_ns": ask.starts_ns, "holder": holder}
        connection.execute(ways.lease, {**lease, "granted": held, "until_ns": until_ns})
    connection.execute(ways.told, {**place, "so_much": used + held})
    return Grant(held=held, used=used + held)


class _Renewing(NamedTuple):
    """The statements of a renewal, made once: it comes every second, and building them costs more than running them."""

    made: Executable
    used: Executable
    freed: Executable
    lease: Executable
    told: Executable


@functools.cache
def _renewing(dialect: str) -> _Renewing:
    name, starts = bindparam("counter_", type_=String), bindparam("starts", type_=BigInteger)
    counter = (limit_counters.c.counter == name) & (limit_counters.c.starts_ns == starts)
    leases = (limit_leases.c.counter == name) & (limit_leases.c.starts_ns == starts)
    mine, over = limit_leases.c.holder == bindparam("holder_"), limit_leases.c.until_ns < bindparam("now")
    return _Renewing(
        made=inserting(dialect, limit_counters).on_conflict_do_nothing(),
        used=select(limit_counters.c.used).where(counter).with_for_update(),
        freed=delete(limit_leases).where(leases & (mine | over)).returning(limit_leases.c.granted),
        lease=insert(limit_leases),
        told=update(limit_counters).where(counter).values(used=bindparam("so_much")),
    )


def _with_id(connection: Connection, limit: Limit) -> Limit:
    rows = connection.execute(
        select(keys.c.id, keys.c.changed).where((keys.c.id == limit.who) | (keys.c.name == limit.who))
    )
    found = sorted(rows.all(), key=lambda row: (row.id == limit.who, row.changed))
    if not found:
        raise unknown("key", limit.who, sorted(set(connection.execute(select(keys.c.name)).scalars())))
    return msgspec.structs.replace(limit, who=found[-1].id)


def _check(limit: Limit) -> None:
    check_name("limit", limit.name)
    check_text("one that is limited", limit.who)
    if limit.of == "all" and limit.who:
        raise InvalidInput("A limit of all has no one.", hint="Say whose it is: a key's, team's, app's or user's.")
    if not 0 <= limit.amount <= _MOST:
        raise InvalidInput(f"The limit's amount is {limit.amount}; choose 0 to {_MOST:,}.")
    if limit.measure != "usd" and limit.amount != int(limit.amount):
        raise InvalidInput(f"A limit on {limit.measure} is a whole number, not {limit.amount}.")
