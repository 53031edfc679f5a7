"""The URL of a ClickHouse store: ``clickhouse://USER:PASSWORD@HOST:8123/DATABASE?cluster=NAME``."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from noria.core.errors import InvalidInput
from noria.core.struct import Noun

SCHEMES = ("clickhouse", "clickhouses", "chdb")
"""HTTP, HTTPS, and the engine in this process."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_HINT = "Write it as clickhouse://USER@HOST:8123/DATABASE, or clickhouses:// for TLS (docs/scale.md)."


class Address(Noun):
    """Where a store is, and how to treat it."""

    host: str = ""
    """Server; empty for the engine in this process."""
    port: int = 8123
    """Port of its HTTP interface."""
    secure: bool = False
    """Whether it speaks TLS."""
    user: str = "default"
    """User."""
    password: str = ""
    """Password of the URL; the environment's ``NORIA_CLICKHOUSE_PASSWORD`` counts where there is none."""
    database: str = "noria"
    """Database; made when it is not there."""
    folder: str = ""
    """Folder of the engine in this process (``chdb:///FOLDER``): for trying, and for tests."""
    cluster: str = ""
    """Cluster to spread the tables over, as ``system.clusters`` names it; empty: one server."""
    batch_ms: int = 50
    """How long appends wait for others to share an insert, milliseconds."""
    async_insert: bool = False
    """Let the server gather inserts of several processes; they are acknowledged when they are written, as ever."""
    fsync: bool = True
    """Whether tables that are made now wait for the disk; without it an acknowledged record survives the death of a
    server's process, not of its machine, unless a replica has it."""
    window_s: float = 20.0
    """Longest time from an insert's stamp until every replica shows it; see ``arrivals``."""

    def __str__(self) -> str:
        if self.folder:
            return f"chdb://{self.folder}"
        return f"{'clickhouses' if self.secure else 'clickhouse'}://{self.host}:{self.port}/{self.database}"


def is_address(text: str) -> bool:
    """Whether a text means a ClickHouse store."""
    return text.partition("://")[0] in SCHEMES and "://" in text


def address(url: str) -> Address:
    """Understand a URL.

    Raises:
        InvalidInput: it is none. The sentence does not repeat it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("The URL of the trace store can't be understood.", hint=_HINT) from None
    if parts.scheme not in SCHEMES:
        raise InvalidInput(f"Traces can't live at {parts.scheme or 'a place without a scheme'}://.", hint=_HINT)
    if parts.scheme == "chdb":
        if not parts.path.strip("/") or parts.netloc:
            raise InvalidInput("chdb:// needs an absolute folder.", hint="Write it as chdb:///FOLDER.")
        return Address(folder=unquote(parts.path), **_options(parts.query, chdb=True))  # type: ignore[arg-type]  # checked by name
    if not parts.hostname:
        raise InvalidInput("The URL of the trace store names no host.", hint=_HINT)
    secure = parts.scheme == "clickhouses"
    database = unquote(parts.path.strip("/")) or "noria"
    _check_name("database", database)
    return Address(
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        secure=secure,
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=database,
        **_options(parts.query),  # type: ignore[arg-type]  # checked by name
    )


def _options(query: str, *, chdb: bool = False) -> dict[str, str | int | float | bool]:
    made: dict[str, str | int | float | bool] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "cluster" or (name == "database" and chdb):
            _check_name(name, value)
            made[name] = value
        elif name == "batch_ms" and value.isdecimal() and int(value) <= 10_000:
            made[name] = int(value)
        elif name == "window_s" and re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", value) and float(value) > 0:
            made[name] = float(value)
        elif name in ("async_insert", "fsync") and value in ("0", "1"):
            made[name] = value == "1"
        else:
            raise InvalidInput(
                f"The trace store's URL has {name!r} with a value that it can't have.",
                hint="Options are cluster=NAME, batch_ms=0..10000, async_insert=0|1, fsync=0|1, window_s=SECONDS.",
            )
    return made


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"A {what} can't be called {name!r}.", hint="Use letters, digits and underscores.")
