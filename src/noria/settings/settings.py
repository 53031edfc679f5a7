"""What can be configured, and the variables of the environment that say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from noria.core.caching import CachePolicy
from noria.core.guards import GuardRule
from noria.core.prices import AgreedPrice
from noria.core.routes import Route
from noria.core.struct import Noun
from noria.settings.providers import BUILT_IN_PROVIDERS, Provider


class Secret:
    """A text that no log, error or ``repr`` shows; :meth:`reveal` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """The text itself."""
        return self._text


class Settings(Noun, forbid_unknown_fields=True):
    """Noria's configuration."""

    data: str = ".noria"
    """Data folder: catalogue, traces, blobs, logs and the admin key."""
    host: str = "127.0.0.1"
    """Address that ``noria up`` and ``noria serve`` listen on."""
    port: int = 7700
    """Port that they listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names under which the server may be called (``Host`` and ``Origin``); its own address always may."""
    catalogue: str = ""
    """Database URL of the catalogue, such as ``postgresql+psycopg://user@host/noria``; empty: SQLite in the folder."""
    traces: str = ""
    """URL of a ClickHouse server or cluster for traces (``docs/scale.md``); empty: DuckDB in the folder."""
    durability: Literal["fsync", "os"] = "fsync"
    """When a record counts as kept: ``fsync``, it survives a power cut; ``os``, it survives the end of the process only."""
    keep_free_mb: int = 256
    """Megabytes that records leave free on the data folder's disk; with less they are refused until there is room."""
    blobs: str = ""
    """URL of the blob store, such as ``s3://bucket/prefix``; empty: a folder in the data folder."""
    otlp_max_body_bytes: int = 64 * 1024 * 1024
    """Largest OTLP request, bytes after decompression."""
    otlp_grpc_port: int = 0
    """Port for OTLP over gRPC, usually 4317; 0 listens on none. Needs the extra ``noria[grpc]``."""
    large_content_bytes: int = 256 * 1024
    """Texts and other contents of at least this size leave their records from elsewhere for the blob store."""
    providers: dict[str, Provider] = {}
    """Servers that models are called on, by name."""
    caches: dict[str, CachePolicy] = {}
    """What may be answered from kept replies, by the app or model that is called; ``provider/*`` and ``*`` stand for many."""
    cache_mb: int = 256
    """Megabytes of kept replies; the oldest make room."""
    prices: dict[str, AgreedPrice | tuple[AgreedPrice, ...]] = {}
    """Prices by contract, by ``provider/model``, where ``*`` stands for any text; several where they change by day."""
    routes: dict[str, Route] = {}
    """Names that stand for several models (``docs/gateway.md``)."""
    aliases: dict[str, str] = {}
    """Names that stand for one model or route."""
    max_calls: Annotated[int, msgspec.Meta(ge=1)] = 2000
    """Calls that the gateway answers at a time."""
    max_waiting: Annotated[int, msgspec.Meta(ge=0)] = 200
    """Calls that may wait for one of those places, ten seconds at most; further ones are turned away at once, with 503."""
    max_late_ms: Annotated[int, msgspec.Meta(ge=0)] = 100
    """Milliseconds that a call may lie there before there is time for it; others are turned away while that stands; 0 for any."""
    guards: tuple[GuardRule, ...] = ()
    """Checks of calls while they are made, in the order in which they check."""
    url: str = ""
    """A running server that the command line talks to; empty: whoever holds the data folder, else the folder itself."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged: ``debug``, ``info``, ``warning`` or ``error``."""

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data).expanduser().absolute()

    def provider(self, name: str) -> Provider | None:
        """A configured or built-in provider."""
        return self.providers.get(name) or BUILT_IN_PROVIDERS.get(name)

    def route(self, name: str) -> Route | None:
        """A route; an alias is one with a single target."""
        target = self.aliases.get(name)
        return self.routes.get(name) if target is None else Route(targets=(target,))


VARIABLES: dict[str, str] = {field: f"NORIA_{field.upper()}" for field in Settings.__struct_fields__}
"""Environment variable of each setting."""
OTHER_VARIABLES: dict[str, str] = {
    "NORIA_CONFIG": "where the configuration file is, instead of ./noria.toml",
    "NORIA_CLICKHOUSE_PASSWORD": "the password of ClickHouse, where the URL of the traces has none",
    "NORIA_SECRETS_KEY": "the master key of stored provider keys: 32 random bytes in base64",
    "NORIA_SECRETS_KEY_FILE": "a file that holds it, mode 0600, outside of the data folder",
    "NORIA_API_KEY": "the admin key; by default one is made on first start and kept in the data folder",
}
"""Variables that are no setting."""
