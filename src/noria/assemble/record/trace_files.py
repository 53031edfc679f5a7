"""People's trace files: exports of Noria and of other systems, read and checked before anything is sent; and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from noria.bridges.files.importing import Import, Importer, Survey
from noria.bridges.files.own import OwnRows
from noria.bridges.files.records import Records
from noria.bridges.files.rows import Bad, Row
from noria.bridges.files.writing import OutFormat, out_format, whole_file
from noria.evaluate.files import rows

__all__ = ["FORMATS", "OutFormat", "Records", "Survey", "opened_import", "out_format", "whole_file"]


def _importers() -> list[Importer]:
    """Every format, those that are recognised most surely first."""
    # Half a second of protobuf and conventions that only an import need pay.
    from noria.bridges.files.otlp_files import OtlpFiles  # noqa: PLC0415
    from noria.bridges.langfuse.exports import LangfuseExports  # noqa: PLC0415
    from noria.bridges.mlflow.exports import MlflowTraces  # noqa: PLC0415
    from noria.bridges.phoenix.exports import PhoenixExports  # noqa: PLC0415
    from noria.targets.pricing import price_of  # noqa: PLC0415

    others = (OtlpFiles, MlflowTraces, PhoenixExports, LangfuseExports)
    return [OwnRows(), *(importer(price_of) for importer in others)]


FORMATS: tuple[str, ...] = ("noria", "otlp", "mlflow", "phoenix", "langfuse")
"""Names of the formats that can be imported."""


def opened_import(paths: Sequence[Path], *, format: str | None = None, app: str | None = None) -> Import:
    """Files that belong together, ready to be looked at. Raises ``InvalidInput``."""
    return Import(paths, _importers(), _read_rows, format=format, app=app)


def _read_rows(path: Path, format: Literal["jsonl", "csv", "parquet"]) -> Iterator[Row | Bad]:
    for found in rows.read_rows(path, format):
        if isinstance(found, rows.Problem):
            yield Bad(found.line, found.message)
        else:
            yield Row(found.line, found.place, found.values)
