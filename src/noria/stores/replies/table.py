"""The tables of kept replies: the replies, and for a while what was forgotten.

A table of another version is dropped: nothing in it is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    inspect,
    select,
)

from noria.core.caching import KeptReply
from noria.stores.catalogue.database import Database, inserting

FILE = "sqlite:///"
"""How the URL of a file begins."""
_VERSION = 2
TABLE = f"kept_replies_{_VERSION}"
"""The replies' own name."""
_FORGOTTEN = f"kept_replies_forgotten_{_VERSION}"
_MANY = 500
_LONGEST_WAIT_NS = 600 * 10**9
"""No reply waits longer to be written."""

_metadata = MetaData()
replies = Table(
    TABLE,
    _metadata,
    Column("key", Text, primary_key=True),
    Column("trace_id", Text, nullable=False),
    Column("user_id", Text),
    Column("kept_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("about", Text, nullable=False),
    Column("vector", LargeBinary),
    Column("body", LargeBinary, nullable=False),
    Index(f"{TABLE}_by_trace", "trace_id"),
    Index(f"{TABLE}_by_age", "kept_ns", "size"),  # sizes are added up often, and without looking at the replies
    Index(f"{TABLE}_by_question", "about", "kept_ns"),
)
"""One row a reply."""
forgotten = Table(
    _FORGOTTEN,
    _metadata,
    Column("digest", Text, primary_key=True),
    Column("until_ns", BigInteger, nullable=False),
)
"""Users and traces whose replies were deleted: what another process kept before, and writes after, is not to come back."""
encode = msgspec.msgpack.Encoder().encode
"""A reply as it is stored."""
decode = msgspec.msgpack.Decoder(KeptReply).decode
"""And back. Raises one of ``UNREADABLE``."""


class Row(NamedTuple):
    """A row of the replies."""

    key: str
    trace_id: str
    user_id: str | None
    kept_ns: int
    ends_ns: int
    size: int
    about: str
    vector: bytes | None
    body: bytes

    @classmethod
    def of(cls, reply: KeptReply) -> Row:
        """The row of a reply."""
        body = encode(reply)
        return cls(
            key=reply.key,
            trace_id=reply.trace_id,
            user_id=reply.user_id,
            kept_ns=reply.kept_ns,
            ends_ns=reply.ends_ns,
            size=len(body) + len(reply.vector),
            about=reply.about and about_of(reply.embedder, reply.about),
            vector=reply.vector or None,
            body=body,
        )


def about_of(embedder: str, rest: str) -> str:
    """What a question's vector can be compared within: one embedder's, with the same everything else."""
    return f"{embedder} {rest}"


def opened(url: str) -> Database:
    """The database, with these tables and none of another version. Raises what opening and writing raise."""
    database = Database(url)
    try:
        with database.write() as connection:
            for name in inspect(connection).get_table_names():
                if name.startswith("kept_replies_") and name not in _metadata.tables:
                    Table(name, MetaData()).drop(connection)
            _metadata.create_all(connection)
    except BaseException:
        database.close()
        raise
    return database


def there(url: str) -> bool:
    """Whether anything was ever kept in the database. Raises what asking it raises."""
    if url.startswith(FILE):
        return Path(url.removeprefix(FILE)).exists()
    database = Database(url)
    try:
        with database.read() as connection:
            return inspect(connection).has_table(TABLE)
    finally:
        database.close()


def delete_of(connection: Connection, user: str, traces: Sequence[str], until_ns: int) -> int:
    """Delete a user's replies and those of some traces, and remember it against what is written late; how many there were."""
    gone = _deleted(connection, replies.c.user_id == user) if user else 0
    for start in range(0, len(traces), _MANY):
        gone += _deleted(connection, replies.c.trace_id.in_(traces[start : start + _MANY]))
    digests = {_digest("trace", id) for id in traces} | ({_digest("user", user)} if user else set())
    if digests:
        once = inserting(connection.dialect.name, forgotten)
        again = once.on_conflict_do_update(index_elements=["digest"], set_={"until_ns": once.excluded.until_ns})
        connection.execute(again, [{"digest": digest, "until_ns": until_ns} for digest in digests])
    return gone


def but_forgotten(connection: Connection, rows: Iterable[Row], now_ns: int) -> list[Row]:
    """The rows that may still be written: whatever was forgotten meanwhile is left out."""
    found = {str(digest): int(until_ns) for digest, until_ns in connection.execute(select(forgotten))}
    if not found:
        return list(rows)
    if min(found.values()) < now_ns - _LONGEST_WAIT_NS:
        connection.execute(delete(forgotten).where(forgotten.c.until_ns < now_ns - _LONGEST_WAIT_NS))
    return [
        row
        for row in rows
        if row.kept_ns > found.get(_digest("trace", row.trace_id), 0)
        and (row.user_id is None or row.kept_ns > found.get(_digest("user", row.user_id), 0))
    ]


def _deleted(connection: Connection, some: ColumnElement[bool]) -> int:
    return connection.execute(delete(replies).where(some)).rowcount


def _digest(kind: str, id: str) -> str:
    """What is forgotten is not itself written down."""
    return hashlib.sha256(f"{kind}\0{id}".encode()).hexdigest()
