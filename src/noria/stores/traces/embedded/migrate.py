"""A trace file of schema version 1, brought to the present one.

The new file is made beside the old one and takes its name when it is whole and on the disk: whatever dies when, there is
either the old file or the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from noria.stores.disk import sync_folder
from noria.stores.traces.embedded.tables import DERIVED_HERE, ROW_GROUP, schema
from noria.stores.traces.schema import STORED

_NEW = {"tool_name": "CAST(NULL AS VARCHAR)", "documents": "'[]'", "events": "'[]'"}


def from_version_1(connection: duckdb.DuckDBPyConnection, path: Path, attached: str) -> None:
    """Put the migrated file in the place of ``path``, which is attached as ``settled`` and is not any longer after it.

    Raises:
        OSError, duckdb.Error: it can't be done; the old file is as it was.
    """
    # Its log goes into the file: from here on nobody changes it.
    connection.execute("CHECKPOINT settled")
    connection.execute("DETACH settled")
    beside = path.with_name(path.name + ".migrating")
    for left in (beside, beside.with_name(beside.name + ".wal")):
        left.unlink(missing_ok=True)
    connection.execute(f"ATTACH '{_escaped(path)}' AS old (READ_ONLY)")
    connection.execute(f"ATTACH '{_escaped(beside)}' AS settled {attached}")
    for statement in schema():
        connection.execute(statement)
    _move(connection)
    connection.execute("CHECKPOINT settled")
    connection.execute("DETACH settled")
    connection.execute("DETACH old")
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def _move(connection: duckdb.DuckDBPyConnection) -> None:
    stored = [*STORED["spans"], *(name for name in DERIVED_HERE["spans"] if name != "seq")]
    spans = ", ".join(f'{_NEW[name]} AS "{name}"' if name in _NEW else f'"{name}"' for name in stored)
    names = [*STORED["scores"], *(name for name in DERIVED_HERE["scores"] if name != "seq")]
    scores = ", ".join(f'"{name}"' for name in names)
    # What is spliced in are names from the schema and numbers.
    for source, columns in (("spans", spans), ("scores", scores)):
        [(rows,)] = connection.execute(f"SELECT coalesce(max(rowid) + 1, 0) FROM old.{source}").fetchall()  # noqa: S608
        for start in range(0, rows, ROW_GROUP):
            numbered = f"(SELECT coalesce(max(seq), 0) FROM settled.{source}) + row_number() OVER ()"  # noqa: S608
            connection.execute(
                f"INSERT INTO settled.{source} SELECT {columns}, {numbered} FROM"  # noqa: S608
                f" (SELECT * FROM old.{source} WHERE rowid BETWEEN {start} AND {start + ROW_GROUP - 1} ORDER BY rowid)"
            )
    connection.execute(
        "UPDATE settled.meta SET spool_segment = old.meta.spool_segment, spool_offset = old.meta.spool_offset,"
        " next_seq = 1 + (SELECT coalesce(max(seq), 0) FROM settled.spans),"
        " next_score = 1 + (SELECT coalesce(max(seq), 0) FROM settled.scores)"
        " FROM old.meta"
    )


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
