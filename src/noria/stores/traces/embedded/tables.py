"""DuckDB's tables, and the statements that fill them from JSON lines.

Beyond one column for each field there are some that are computed on the way in: ``seq``, the order of arrival, counted
from 1; ``duration_s`` (spans), ``value_number`` (scores), and ``trace_key`` (scores), 64 bits of the trace id's MD5:
comparing 8-byte integers finds the scores of some spans much faster than the ids do.

The same tables are made in the file (``settled``) and, for what has just come, in memory.
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

ROW_GROUP = 30_720
"""Rows that are settled together, and that DuckDB keeps together: a quarter of its default, so that what waits in memory
stays under 100 MB."""
_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "json": "VARCHAR",
    "any": "VARCHAR",
}
DERIVED_HERE: dict[Source, dict[str, tuple[str, str]]] = {
    "spans": {
        "duration_s": (
            "DOUBLE",
            (
                "coalesce(CASE WHEN cached THEN"
                " TRY_CAST(json_extract_string(attributes, '/noria.replayed.duration_s') AS DOUBLE) END,"
                " (end_ns - start_ns) / 1e9)"
            ),
        ),
        "seq": ("BIGINT", "$3 + line - 1"),
    },
    "scores": {
        "value_number": ("DOUBLE", NUMBER_OF_JSON.format("value, '$'")),
        "trace_key": ("UBIGINT", "md5_number_lower(coalesce(trace_id, ''))"),
        "seq": ("BIGINT", "$3 + line - 1"),
    },
}
"""Computed columns: type, and expression over a line."""
TRACE_HASH = "md5_number_lower(trace_id)"
"""By which the index knows a trace."""
HASHES = f"{TRACE_HASH} AS trace, md5_number_lower(span_id) AS span"
"""What :mod:`keys` keeps of a span's ids."""
JUDGED = "trace_key AS trace, CAST(seq AS UBIGINT) AS span"
"""What it keeps of a score."""
_STRUCTS: dict[Source, type[msgspec.Struct]] = {"spans": Span, "scores": Score}
_META = (
    "schema_version INTEGER, store_id VARCHAR, spool_segment BIGINT, spool_offset BIGINT, spool_skip BIGINT,"
    " next_seq BIGINT, next_score BIGINT"
)
"""``spool_skip``: so many spans behind the spool position are settled already."""


def schema() -> list[str]:
    """Statements that make an empty trace file."""
    made = [create(source, f"settled.{source}") for source in STORED]
    made.append(f"CREATE TABLE settled.meta ({_META})")
    made.append(f"INSERT INTO settled.meta VALUES ({VERSION}, CAST(uuid() AS VARCHAR), 0, 0, 0, 1, 1)")  # noqa: S608 - a constant
    return made


def create(source: Source, name: str) -> str:
    """The statement that makes a table for ``source``."""
    stored = [f'"{column}" {_TYPES[kind]}' for column, kind in STORED[source].items()]
    computed = [f"{column} {type_}" for column, (type_, _) in DERIVED_HERE[source].items()]
    return f"CREATE TABLE {name} ({', '.join(stored + computed)})"


@functools.cache
def insert(source: Source) -> str:
    """The statement that inserts a file of lines ($1, longest line under $2 bytes) into a table, ``{0}``.

    The first line gets the number $3; of the lines, the first $4 are left out.
    """
    struct = _STRUCTS[source]
    selected = [expression for field in msgspec.structs.fields(struct) for expression in _expressions(source, field)]
    computed = [expression for _, expression in DERIVED_HERE[source].values()]
    # What is spliced in are names and types from the schema, never anything from a record.
    options = "format = 'newline_delimited', maximum_object_size = $2"
    columns = _columns(source).replace("{", "{{").replace("}", "}}")
    lines = f"SELECT *, row_number() OVER () AS line FROM read_json($1, {options}, columns = {columns})"  # noqa: S608
    wanted = ", ".join(selected + computed).replace("'{}'", "'{{}}'")
    return f"INSERT INTO {{0}} SELECT {wanted} FROM ({lines}) WHERE line > $4"  # noqa: S608


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
