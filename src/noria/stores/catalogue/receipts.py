"""Receipts of erasures, each with its entry in the audit log; and what else the catalogue holds about a user."""

from __future__ import annotations

import builtins

import msgspec
from sqlalchemy import Table, insert, select

from noria.core.erasures import Receipt
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import (
    experiments,
    limits,
    models,
    monitors,
    prompts,
    receipts,
    releases,
    variants,
)

_BODIES: dict[str, Table] = {
    "experiment": experiments,
    "limit": limits,
    "model": models,
    "monitor": monitors,
    "prompt": prompts,
    "release": releases,
    "variant": variants,
}
"""Kinds of noun in which a person may have written a user's id; data sets keep their cases as blobs."""


class Receipts:
    """``catalogue.receipts``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def add(self, receipt: Receipt) -> Receipt:
        """Store a receipt and tell the erasure in the audit log; the receipt then names the entry."""
        erased = receipt.erased
        details = {"spans": erased.spans, "scores": erased.scores, "traces": erased.traces, "blobs": len(erased.blobs)}
        with self._database.write() as connection:
            entry = record(connection, self._now, "user.erased", receipt.id, by=receipt.actor, **details)
            made = msgspec.structs.replace(receipt, time_ns=entry.time_ns, audit_seq=entry.seq, audit_hash=entry.hash)
            connection.execute(insert(receipts).values(id=made.id, body=encode(made)))
        return made

    def list(self) -> builtins.list[Receipt]:
        """All receipts, newest first."""
        query = select(receipts.c.body).order_by(receipts.c.seq.desc())
        with self._database.read() as connection:
            return [decode(body, Receipt) for body in connection.execute(query).scalars()]

    def mentions(self, text: str) -> dict[str, tuple[str, ...]]:
        """Nouns that hold ``text`` as a whole value somewhere, by kind: their names or ids."""
        needle = msgspec.json.encode(text).decode()
        found: dict[str, tuple[str, ...]] = {}
        with self._database.read() as connection:
            for kind, table in _BODIES.items():
                named = table.c.name if "name" in table.c and "id" not in table.c else table.c.id
                holding = select(named).where(table.c.body.contains(needle, autoescape=True)).order_by(named)
                if names := tuple(connection.execute(holding).scalars()):
                    found[kind] = names
        return found
