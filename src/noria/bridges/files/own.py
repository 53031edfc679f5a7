"""Noria's own rows, as :class:`~noria.bridges.files.importing.Importer`."""

from __future__ import annotations

from typing import Any

from noria.bridges.files.columns import is_row, read_row
from noria.bridges.files.records import Records
from noria.core.errors import InvalidInput


class OwnRows:
    """What ``noria traces export`` writes, in JSON lines or Parquet."""

    name = "noria"

    def knows(self, values: Any) -> bool:
        """Whether ids and start are named as here."""
        return isinstance(values, dict) and is_row(values)

    def survey(self, values: Any) -> None:
        """Each row stands for itself."""

    def records(self, values: Any) -> Records:
        """A span with its scores."""
        if not isinstance(values, dict):
            raise InvalidInput("it is no object.")
        return read_row(values)
