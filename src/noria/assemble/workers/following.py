"""Following what other processes write to a shared catalogue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from noria.core.errors import NoriaError
from noria.stores.catalogue import Catalogue

EVERY_S = 1.0
"""Seconds between two looks: so long may a process call an app by the release before."""

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def following(catalogue: Catalogue) -> AsyncIterator[None]:
    """Look again and again, as long as the block lasts; what was remembered of the catalogue is then read anew."""
    task = asyncio.create_task(_look(catalogue), name="noria-catalogue-look")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _look(catalogue: Catalogue) -> None:
    while True:
        try:
            await asyncio.to_thread(catalogue.look)
        except NoriaError as error:  # what is known is still good; calls go on by it
            _log.warning("catalogue.look_failed", error=str(error))
        await asyncio.sleep(EVERY_S)
