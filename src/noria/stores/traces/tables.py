"""DuckDB's tables, and the statements that fill them from JSON lines.

Beyond one column for each field there are four computed on the way in: ``duration_s`` (spans), ``seq`` (spans; the
order of arrival, counted from 1), ``value_number`` (scores), and ``trace_key``, 64 bits of the trace id's MD5. Comparing 8-byte integers finds one trace, or the earlier
copy of a span that is sent again, among 2 million rows in 14 ms; the 32-character ids take 140-300 ms and an index
would have to live in memory.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.compile import NUMBER_OF_JSON
from noria.stores.traces.schema import LINEAGE, STORED, VERSION, Kind, Source

_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "json": "VARCHAR",
    "any": "VARCHAR",
}
_COMPUTED: dict[Source, dict[str, tuple[str, str]]] = {
    "spans": {
        "duration_s": (
            "DOUBLE",
            (
                "coalesce(CASE WHEN cached THEN"
                " TRY_CAST(json_extract_string(attributes, '/noria.replayed.duration_s') AS DOUBLE) END,"
                " (end_ns - start_ns) / 1e9)"
            ),
        ),
        "trace_key": ("UBIGINT", "md5_number_lower(trace_id)"),
        "seq": ("BIGINT", "(SELECT next_seq FROM meta) + row_number() OVER () - 1"),
    },
    "scores": {
        "value_number": ("DOUBLE", NUMBER_OF_JSON.format("value, '$'")),
        "trace_key": ("UBIGINT", "md5_number_lower(coalesce(trace_id, ''))"),
    },
}
_STRUCTS: dict[Source, type[msgspec.Struct]] = {"spans": Span, "scores": Score}


def schema() -> list[str]:
    """Statements that make an empty trace file."""
    made = []
    for source, columns in STORED.items():
        stored = [f'"{name}" {_TYPES[kind]}' for name, kind in columns.items()]
        computed = [f"{name} {type_}" for name, (type_, _) in _COMPUTED[source].items()]
        made.append(f"CREATE TABLE {source} ({', '.join(stored + computed)})")
    made.append(
        "CREATE TABLE meta (schema_version INTEGER, spool_segment BIGINT, spool_offset BIGINT, next_seq BIGINT DEFAULT 1)"
    )
    made.append(f"INSERT INTO meta VALUES ({VERSION}, 0, 0, 1)")  # noqa: S608 - a constant
    return made


KEYS = (
    "CREATE OR REPLACE TEMP TABLE keys AS SELECT trace_id, span_id, md5_number_lower(trace_id) AS trace_key"
    " FROM read_json($1, format = 'newline_delimited', maximum_object_size = $2,"
    " columns = {trace_id: 'VARCHAR', span_id: 'VARCHAR'})"
)
"""Ids of the spans in a file of lines ($1), whose longest has less than $2 bytes."""
REPEATED = "SELECT count(*) > count(DISTINCT (trace_id, span_id)) FROM keys"
"""Whether a span comes twice in the batch."""
EARLIEST = "SELECT min(rowid) FROM spans WHERE trace_key IN (SELECT trace_key FROM keys)"
"""First row that belongs to a trace of the batch; mostly none, or a recent one."""
REPLACE = (
    "DELETE FROM spans WHERE rowid >= $1 AND trace_key IN (SELECT trace_key FROM keys)"
    " AND (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM keys)"
)
"""Remove earlier copies of the batch's spans."""

NUMBERED = "UPDATE meta SET next_seq = next_seq + (SELECT count(*) FROM keys)"
"""The batch's numbers are taken."""
DELETE_SPANS = (
    "DELETE FROM spans WHERE trace_key IN (SELECT md5_number_lower(trace_id) FROM doomed)"
    " AND (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM doomed)"
)
DELETE_SCORES = (
    "DELETE FROM scores WHERE trace_key IN (SELECT md5_number_lower(trace_id) FROM doomed)"
    " AND (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM doomed)"
)
STRIP = (
    "UPDATE spans SET input = '[]', output = '[]', variables = '{}', documents = '[]', events = '[]',"
    " error_message = NULL, attributes = kept.kept FROM (SELECT CAST(item->>0 AS BIGINT) AS seq, item->>1 AS kept"
    " FROM (SELECT unnest(CAST($1 AS JSON[])) AS item)) AS kept WHERE spans.seq = kept.seq"
)
"""Remove the texts of the spans in a JSON list of pairs: ``seq``, the attributes that are left."""
HAS_TEXTS = (
    "(input != '[]' OR output != '[]' OR variables != '{}' OR documents != '[]' OR events != '[]'"
    " OR error_message IS NOT NULL)"
)
"""Whether a span has texts beside its attributes."""


def migration() -> list[str]:
    """Statements that bring a file of version 1 to this one: columns that were not there get their defaults."""
    names = [*STORED["spans"], *(name for name in _COMPUTED["spans"] if name != "seq")]
    new = {"tool_name": "CAST(NULL AS VARCHAR)", "documents": "'[]'", "events": "'[]'"}
    selected = ", ".join(f'{new[name]} AS "{name}"' if name in new else f'"{name}"' for name in names)
    # What is spliced in are names from the schema.
    moved = f"SELECT {selected}, row_number() OVER () AS seq FROM spans"  # noqa: S608
    return [
        f"CREATE TABLE migrated AS {moved}",
        "DROP TABLE spans",
        "ALTER TABLE migrated RENAME TO spans",
        "ALTER TABLE meta ADD COLUMN next_seq BIGINT DEFAULT 1",
        f"UPDATE meta SET schema_version = {VERSION}, next_seq = 1 + (SELECT count(*) FROM spans)",  # noqa: S608
    ]


@functools.cache
def insert(source: Source, *, last_wins: bool = False) -> str:
    """The statement that inserts a file of lines ($1, longest line under $2 bytes).

    With ``last_wins`` only the last of the lines that speak of one span; it costs a sort of the batch.
    """
    struct = _STRUCTS[source]
    selected = [expression for field in msgspec.structs.fields(struct) for expression in _expressions(source, field)]
    computed = [expression for _, expression in _COMPUTED[source].values()]
    # What is spliced in are names and types from the schema, never anything from a record.
    options = "format = 'newline_delimited', maximum_object_size = $2"
    lines = f"SELECT * FROM read_json($1, {options}, columns = {_columns(source)})"  # noqa: S608
    if last_wins:
        numbered = f"SELECT *, row_number() OVER () AS line FROM ({lines})"  # noqa: S608
        rank = "row_number() OVER (PARTITION BY trace_id, span_id ORDER BY line DESC)"
        lines = f"SELECT * EXCLUDE (line) FROM ({numbered}) QUALIFY {rank} = 1 ORDER BY line"  # noqa: S608
    return f"INSERT INTO {source} SELECT {', '.join(selected + computed)} FROM ({lines})"  # noqa: S608


def _columns(source: Source) -> str:
    """The lines' fields with their types, as ``read_json`` wants them."""
    types = {name: "JSON" if kind in ("json", "any") else _TYPES[kind] for name, kind in STORED[source].items()}
    if source == "spans":
        lineage = ", ".join(f"{name} {types.pop(name)}" for name in LINEAGE)
        types["lineage"] = f"STRUCT({lineage})"
    return "{" + ", ".join(f"\"{name}\": '{type_}'" for name, type_ in types.items()) + "}"


def _expressions(source: Source, field: msgspec.structs.FieldInfo) -> list[str]:
    """What goes into the field's columns: fields that are absent have their default."""
    if field.type is Lineage:
        return [f"lineage.{name}" for name in LINEAGE]
    name = f'"{field.name}"'
    if STORED[source][field.name] in ("json", "any"):
        name = f"CAST({name} AS VARCHAR)"
    default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if default is None or default is msgspec.NODEFAULT:
        return [name]
    return [f"coalesce({name}, {_literal(default)})"]


def _literal(default: Any) -> str:
    text = default if isinstance(default, str) else msgspec.json.encode(default).decode()
    return "'" + text.replace("'", "''") + "'"
