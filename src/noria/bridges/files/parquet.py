"""Noria's rows as Parquet, written by DuckDB from JSON lines.

Text is ``VARCHAR``, integers ``BIGINT``, numbers ``DOUBLE``, truth values ``BOOLEAN``, lists and objects JSON text in
``VARCHAR``. These types are a promise: a column of one kind is never of another because all its values are empty.
"""

from __future__ import annotations

from pathlib import Path

from noria.bridges.files.columns import COLUMNS, Kind
from noria.core.errors import StorageFull

_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "json": "JSON",
}


_BUFFER = 1 << 20


def write_parquet(lines: Path, target: Path, *, longest: int) -> None:
    """Make the Parquet file ``target`` of a file of lines that is packed with gzip.

    Arguments:
        longest: bytes of its longest line, or more; DuckDB reserves twice as many.

    Raises:
        StorageFull: it can't be written.
    """
    import duckdb  # noqa: PLC0415 - 40 MB that only Parquet needs

    columns = ", ".join(f"\"{name}\": '{_TYPES[kind]}'" for name, kind in COLUMNS.items())
    selected = ", ".join(
        f'CAST("{name}" AS VARCHAR) AS "{name}"' if kind == "json" else f'"{name}"' for name, kind in COLUMNS.items()
    )
    # Only names and types of our own are spliced in, beside two paths whose quotes are doubled: COPY takes no parameters.
    source = f"read_json({_quoted(lines)}, format = 'newline_delimited', compression = 'gzip', maximum_object_size = {max(longest + 1, _BUFFER)}, columns = {{{columns}}})"
    options = "FORMAT parquet, COMPRESSION zstd"
    with duckdb.connect() as connection:
        try:
            connection.execute("SET preserve_insertion_order = true")
            connection.execute("SET memory_limit = '512MB'")
            connection.execute(f"COPY (SELECT {selected} FROM {source}) TO {_quoted(target)} ({options})")  # noqa: S608
        except duckdb.Error as error:
            raise StorageFull(f"{target.name} can't be written: {str(error).splitlines()[0]}") from error


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
