"""Virtual keys: their records and hashes, and when each was last used. No secret comes here but to be hashed."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, insert, select, update

from noria.core.audit import SYSTEM, AuditEntry
from noria.core.errors import Conflict, InvalidInput
from noria.core.keys import ID_HEX, HeldKey, Key, KeyHashes, MadeKey, key_hash, key_text
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database, inserting
from noria.stores.catalogue.names import check_name, check_text, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import key_uses, keys

_LONGEST = 200
"""Most characters of a pattern, a team or an owner."""


class Keys:
    """``catalogue.keys``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def create(self, key: Key, *, by: str = SYSTEM) -> MadeKey:
        """Make a key like this one; its id, times and maker are set here. The secret is shown in the answer, once.

        Raises:
            Conflict: a key that is not revoked has this name.
            InvalidInput: it opens nothing, has ended already, or a name or pattern is none.
        """
        check_name("key", key.name)
        _check(key, self._now())
        id = secrets.token_hex(ID_HEX // 2)
        secret = key_text(id, secrets.token_urlsafe(32))
        made = msgspec.structs.replace(
            key, id=id, created_ns=self._now(), created_by=by, rotated_ns=None, old_until_ns=None, revoked_ns=None
        )
        with self._database.write() as connection:
            taken = connection.execute(select(keys.c.body).where(keys.c.name == made.name)).scalars()
            if any(decode(body, Key).revoked_ns is None for body in taken):
                raise Conflict(
                    f"There is a key {made.name!r} already.",
                    kept="It is as it was.",
                    hint="Choose another name, or `noria keys rotate` it for a new secret.",
                )
            entry = record(connection, self._now, "key.created", made.id, by=by, **_told(made))
            hashes = encode(KeyHashes(newest=key_hash(secret)))
            values = {"id": id, "name": made.name, "changed": entry.seq, "body": encode(made), "hashes": hashes}
            connection.execute(insert(keys).values(values))
        return MadeKey(key=made, secret=secret)

    def list(self) -> builtins.list[Key]:
        """All keys, revoked ones too, newest first."""
        query = _with_uses().order_by(keys.c.changed.desc())
        with self._database.read() as connection:
            found = [_key(row.body, row.used_ns) for row in connection.execute(query)]
        return sorted(found, key=lambda key: -key.created_ns)

    def get(self, ref: str) -> Key:
        """The key with this id or name. Raises ``UnknownName``."""
        with self._database.read() as connection:
            return _require(connection, ref)

    def rotate(self, ref: str, *, overlap_s: float = 0.0, by: str = SYSTEM) -> MadeKey:
        """Give a key a new secret; the one before works on for ``overlap_s`` seconds.

        Raises:
            UnknownName: there is no such key.
            InvalidInput: it is revoked.
        """
        if not 0 <= overlap_s <= 366 * 86_400:
            raise InvalidInput(f"The old secret can't work on for {overlap_s:g} seconds; choose 0 s to a year.")
        with self._database.write() as connection:
            key = _in_force(_require(connection, ref))
            at = self._now()
            until = at + int(overlap_s * 1e9) if overlap_s else None
            secret = key_text(key.id, secrets.token_urlsafe(32))
            known = connection.execute(select(keys.c.hashes).where(keys.c.id == key.id)).scalar_one()
            before = decode(known, KeyHashes)
            hashes = KeyHashes(newest=key_hash(secret))
            if until is not None:
                hashes = msgspec.structs.replace(hashes, before=before.newest, before_until_ns=until)
            rotated = msgspec.structs.replace(key, rotated_ns=at, old_until_ns=until)
            details = {"name": key.name, "overlap_s": overlap_s or None}
            entry = record(connection, self._now, "key.rotated", key.id, by=by, **details)
            _write(connection, rotated, entry, hashes=encode(hashes))
        return MadeKey(key=rotated, secret=secret)

    def revoke(self, ref: str, *, by: str = SYSTEM) -> Key:
        """Let a key open nothing from now on. Its record stays: spans name it.

        Raises:
            UnknownName: there is no such key.
            InvalidInput: it is revoked already.
        """
        with self._database.write() as connection:
            key = _in_force(_require(connection, ref))
            revoked = msgspec.structs.replace(key, revoked_ns=self._now())
            entry = record(connection, self._now, "key.revoked", key.id, by=by, name=key.name)
            _write(connection, revoked, entry)
        return revoked

    def changed(self, after: int = -1) -> tuple[builtins.list[HeldKey], int]:
        """Keys made or changed since a place in the audit log, and the place up to which this is true."""
        query = (
            select(keys.c.body, keys.c.hashes, keys.c.changed).where(keys.c.changed > after).order_by(keys.c.changed)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        held = [HeldKey(key=decode(row.body, Key), hashes=decode(row.hashes, KeyHashes)) for row in rows]
        return held, rows[-1].changed if rows else after

    def note_uses(self, used: Mapping[str, int]) -> None:
        """Keep when keys were last used: nanoseconds by id. Later times stay."""
        with self._database.tally() as connection:
            known = set(connection.execute(select(keys.c.id).where(keys.c.id.in_(used))).scalars())
            for id in sorted(known):  # in one order, so that two processes don't wait for each other
                noted = inserting(connection.dialect.name, key_uses).values(id=id, used_ns=used[id])
                later = noted.excluded.used_ns > key_uses.c.used_ns
                connection.execute(
                    noted.on_conflict_do_update(index_elements=["id"], set_={"used_ns": used[id]}, where=later)
                )


def _with_uses() -> Select[Any]:
    return select(keys.c.body, key_uses.c.used_ns).select_from(keys.outerjoin(key_uses))


def _key(body: str, used_ns: int | None) -> Key:
    return msgspec.structs.replace(decode(body, Key), last_used_ns=used_ns)


def _require(connection: Connection, ref: str) -> Key:
    check_text("key", ref)
    rows = connection.execute(_with_uses().where((keys.c.id == ref) | (keys.c.name == ref))).all()
    found = [_key(row.body, row.used_ns) for row in rows]
    if not found:
        raise unknown("key", ref, sorted(set(connection.execute(select(keys.c.name)).scalars())))
    return max(found, key=lambda key: (key.id == ref, key.revoked_ns is None, key.created_ns))


def _in_force(key: Key) -> Key:
    if key.revoked_ns is not None:
        raise InvalidInput(f"The key {key.name!r} is revoked.", hint="Make a new one with `noria keys create`.")
    return key


def _write(connection: Connection, key: Key, entry: AuditEntry, **values: str) -> None:
    body = encode(msgspec.structs.replace(key, last_used_ns=None))
    connection.execute(update(keys).where(keys.c.id == key.id).values(body=body, changed=entry.seq, **values))


def _check(key: Key, now_ns: int) -> None:
    if not key.permissions:
        raise InvalidInput("The key would open nothing.", hint="Give it gateway, ingest, read or admin.")
    for text in (*key.apps, *key.models):
        if not text.strip() or len(check_text("pattern", text)) > _LONGEST:
            raise InvalidInput(f"{text[:40]!r} is no pattern of names.", hint="Write support, support-* or openai/*.")
    for what, text in (("team", key.team), ("owner", key.owner)):
        if len(check_text(what, text)) > _LONGEST:
            raise InvalidInput(f"The {what} has more than {_LONGEST} characters.")
    if key.expires_ns is not None and key.expires_ns <= now_ns:
        raise InvalidInput("The key would have ended before it is made.")


def _told(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "permissions": key.permissions,
        "apps": key.apps,
        "models": key.models,
        "team": key.team,
        "owner": key.owner,
        "expires_ns": key.expires_ns,
    }
