"""The record sent to another collector, and how far it came."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import msgspec

from noria.bridges.files.records import Records
from noria.bridges.files.walk import scores_by_span
from noria.bridges.otlp.environment import headers_from
from noria.bridges.otlp.send import Collector, Sent, endpoint
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput, StorageFull
from noria.core.struct import Noun
from noria.stores.disk import write_whole

__all__ = ["Progress", "Replay", "Sent", "endpoint", "headers_from", "opened_replay"]


class Progress(Noun):
    """How far a replay came, as its file keeps it."""

    url: str
    """Where the spans went."""
    app: str | None = None
    """The app whose spans they were."""
    cursor: str | None = None
    """Where to go on."""

    @classmethod
    def read(cls, path: Path, url: str, app: str | None) -> Progress:
        """What the file says; a new beginning where there is none.

        Raises:
            InvalidInput: it is of another replay, or no such file.
        """
        if not path.exists():
            return cls(url=url, app=app)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=cls)
        except UNREADABLE as error:
            raise InvalidInput(f"{path} keeps no replay's progress: {error}.") from error
        except OSError as error:
            raise InvalidInput(f"{path} can't be read: {error.strerror or error}.") from error
        if (found.url, found.app) != (url, app):
            raise InvalidInput(
                f"{path} is of a replay to {found.url}" + (f" of {found.app}." if found.app else "."),
                hint="Name another file for this one.",
            )
        return found

    def write(self, path: Path) -> None:
        """Keep it. Raises ``StorageFull``."""
        try:
            write_whole(path, msgspec.json.encode(self))
        except OSError as error:
            raise StorageFull(f"{path} can't be written: {error.strerror or error}.") from error


class Replay:
    """Sends pages of the record to a collector."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def send(self, records: Records) -> Sent:
        """Send a page. Raises ``CallRefused`` and ``Unavailable``."""
        return await self._collector.send(scores_by_span(records))


@contextlib.asynccontextmanager
async def opened_replay(url: str, headers: Mapping[str, str], *, first_pause_s: float = 1.0) -> AsyncIterator[Replay]:
    """A replay to the collector at ``url``. Raises ``InvalidInput``."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Replay(Collector(session, url, headers, first_pause_s=first_pause_s))
