"""ClickHouse's tables: on one server, or on a cluster.

``spans`` is sorted by start, then by ids. So the newest spans lie together, a span that is sent again falls on its
earlier copy (``ReplacingMergeTree``, the later ``arrived`` counts), and a part of the table that shares no moment with
another needs no comparing when it is read with ``FINAL``. ``places`` is the way from an id to a start; a span that is
sent again *with another start* is found through it before it is written, and its earlier copy marked as gone.

On a cluster each table is a replicated one on every shard, named ``..._local``, with a distributed one over it. All
spans and scores of a trace are on one shard.
"""

from __future__ import annotations

import msgspec

from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun
from noria.stores.traces.clickhouse import texts
from noria.stores.traces.clickhouse.address import Address
from noria.stores.traces.clickhouse.values import number_of_json
from noria.stores.traces.schema import KEYED, STORED, Source

VERSION = 1
"""Grows when tables change; a database with a newer one is refused."""
DAY_NS = 86_400 * 10**9
"""A partition."""

_FEW = frozenset(
    {
        *("operation", "status", "error_type", "provider", "request_model", "response_model", "tool_name", "app"),
        *("variant_id", "prompt_id", "model_id", "release_id", "experiment_id", "run_id"),
        *("scorer", "version", "source", "monitor"),
    }
)
"""Columns with few different texts: a dictionary in each part."""
_LONG = frozenset({"input", "output", "documents", "events", "error_message", "reason", *KEYED["spans"], "metadata"})
_STRUCTS: dict[Source, tuple[type[msgspec.Struct], ...]] = {"spans": (Span, Lineage), "scores": (Score,)}
_CLOCKS = frozenset({"start_ns", "end_ns", "time_ns"})

_REPLAYED = number_of_json("attributes['noria.replayed.duration_s']")
_DURABLE = {
    "fsync_after_insert": "1",  # an insert is answered when it is on disk, not in the page cache
    "fsync_part_directory": "1",
    "min_rows_to_fsync_after_merge": "1",  # nor may a merge replace what is on disk by what is not
    "min_compressed_bytes_to_fsync_after_merge": "1",
}
_REPLICATED = {"min_compressed_bytes_to_fsync_after_fetch": "1"}
_ALONE = {"non_replicated_deduplication_window": "1000"}  # an insert that is tried again is not kept twice
_TIDY = {
    "old_parts_lifetime": "1",  # what was deleted leaves the disk a second later; what replaces it is synced
    "min_age_to_force_merge_seconds": "7200",  # a past day becomes one part, which needs no comparing
    "min_age_to_force_merge_on_partition_only": "1",
}


class Table(Noun):
    """One table."""

    name: str
    """As questions call it."""
    records: Source | None = None
    """Whose fields are its first columns."""
    columns: tuple[str, ...]
    """Definitions of further columns, and of indices."""
    engine: str
    """``MergeTree`` or one of its kind, without ``Replicated``."""
    arguments: tuple[str, ...] = ()
    """Of the engine."""
    order: str
    """Sorting key."""
    partition: str = ""
    """Partition key."""
    settings: dict[str, str] = {}
    """Beside the durable ones."""
    shard: str = "cityHash64(trace_id)"
    """How a distributed table spreads rows."""


SPANS = Table(
    name="spans",
    records="spans",
    columns=(
        f"duration_s Float64 MATERIALIZED coalesce(if(cached, {_REPLAYED}, NULL), (end_ns - start_ns) / 1e9) CODEC(ZSTD(1))",
        "arrived Int64 CODEC(Delta, ZSTD(1))",
        "batch Int64 CODEC(Delta, ZSTD(1))",
        "gone UInt8 CODEC(ZSTD(1))",
        "INDEX arrivals arrived TYPE minmax GRANULARITY 1",
        "INDEX sessions session_id TYPE bloom_filter(0.01) GRANULARITY 4",
        "INDEX users user_id TYPE bloom_filter(0.01) GRANULARITY 4",
        "INDEX keys mapKeys(attributes) TYPE bloom_filter(0.01) GRANULARITY 4",
        f"INDEX words {texts.TOKENS} TYPE text(tokenizer = 'array')",
    ),
    engine="ReplacingMergeTree",
    arguments=("arrived", "gone"),
    order="(start_ns, trace_id, span_id)",
    partition=f"intDiv(start_ns, {DAY_NS})",
    settings=_TIDY | {"index_granularity": "2048"},
)
SCORES = Table(
    name="scores",
    records="scores",
    columns=(
        f"value_number Nullable(Float64) MATERIALIZED {number_of_json('value')} CODEC(ZSTD(1))",
        "arrived Int64 CODEC(Delta, ZSTD(1))",
        "INDEX traces trace_id TYPE bloom_filter(0.001) GRANULARITY 2",
        "INDEX scorers scorer TYPE set(64) GRANULARITY 4",
    ),
    engine="MergeTree",
    order="(time_ns, trace_id, span_id, scorer, arrived)",
    partition=f"intDiv(time_ns, {DAY_NS})",
    settings=_TIDY,
)
PLACES = Table(
    name="places",
    columns=(
        "trace_id String CODEC(ZSTD(1))",
        "span_id String CODEC(ZSTD(1))",
        "start_ns Int64 CODEC(Delta, ZSTD(1))",
    ),
    engine="ReplacingMergeTree",
    order="(trace_id, span_id, start_ns)",
    settings={"index_granularity": "256", "old_parts_lifetime": "1"},
)
CHOSEN = Table(
    name="chosen",
    columns=("job String", "trace_id String", "span_id String"),
    engine="MergeTree",
    order="(job, trace_id, span_id)",
    settings={"old_parts_lifetime": "1"},
)
VERSIONS = Table(
    name="versions", columns=("version UInt32", "at DateTime DEFAULT now()"), engine="MergeTree", order="version",
    shard="rand()",
)  # fmt: skip


def stored(source: Source) -> tuple[str, ...]:
    """Definitions of the columns of a record's fields."""
    return tuple(
        f"`{field.name}` {_type(source, field)} CODEC({_codec(field.name)})"
        for struct in _STRUCTS[source]
        for field in msgspec.structs.fields(struct)
        if field.name in STORED[source]
    )


def statements(place: Address) -> list[str]:
    """What makes an empty database."""
    made = [statement for table in (VERSIONS, SPANS, SCORES, PLACES, CHOSEN) for statement in creation(table, place)]
    spans, places = local("spans", place), local("places", place)
    view = f"CREATE MATERIALIZED VIEW IF NOT EXISTS places_of_spans{on_cluster(place)} TO {places}"
    made.append(f"{view} AS SELECT trace_id, span_id, start_ns FROM {spans} WHERE NOT gone")  # noqa: S608 - own names
    return made


def creation(table: Table, place: Address) -> list[str]:
    """Statements that make one table."""
    name = local(table.name, place)
    columns = (*(stored(table.records) if table.records else ()), *table.columns)
    engine, arguments = table.engine, table.arguments
    settings = table.settings | (_DURABLE if place.fsync else {}) | (_REPLICATED if place.cluster else _ALONE)
    if place.cluster:
        path = f"'/clickhouse/tables/{{shard}}/{place.database}/{name}'"
        engine, arguments = f"Replicated{engine}", (path, "'{replica}'", *arguments)
    partition = f" PARTITION BY {table.partition}" if table.partition else ""
    options = ", ".join(f"{key} = {value}" for key, value in settings.items())
    made = [
        f"CREATE TABLE IF NOT EXISTS {name}{on_cluster(place)} ({', '.join(columns)}) ENGINE = {engine}"
        f"({', '.join(arguments)}){partition} ORDER BY {table.order}" + (f" SETTINGS {options}" if options else "")
    ]
    if place.cluster:
        made.append(
            f"CREATE TABLE IF NOT EXISTS {table.name}{on_cluster(place)} AS {name}"
            f" ENGINE = Distributed('{place.cluster}', '{place.database}', '{name}', {table.shard})"
        )
    return made


def local(name: str, place: Address) -> str:
    """The table that holds the rows, to be altered."""
    return f"{name}_local" if place.cluster else name


def on_cluster(place: Address) -> str:
    """The clause that has a statement done by all servers."""
    return f" ON CLUSTER '{place.cluster}'" if place.cluster else ""


def _type(source: Source, field: msgspec.structs.FieldInfo) -> str:
    kind = STORED[source][field.name]
    if field.name in KEYED[source]:
        return "Map(String, String)"
    plain = {"text": "String", "int": "Int64", "float": "Float64", "bool": "Bool", "json": "String", "any": "String"}[
        kind
    ]
    default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if default is None:
        plain = f"Nullable({plain})"
    if kind == "text" and field.name in _FEW:
        plain = f"LowCardinality({plain})"
    if default is None or default is msgspec.NODEFAULT or default in ("", 0, False):
        return plain
    text = default if isinstance(default, str) else msgspec.json.encode(default).decode()
    return f"{plain} DEFAULT '{text}'"


def _codec(name: str) -> str:
    if name in _CLOCKS:
        return "Delta, ZSTD(1)"
    return "ZSTD(3)" if name in _LONG else "ZSTD(1)"
