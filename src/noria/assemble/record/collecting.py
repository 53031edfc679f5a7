"""Blobs that nothing needs any more: found, and deleted when they have been there long enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from noria.assemble.record.mentions import mentioned
from noria.core.protocols import BlobStore, TraceStore
from noria.stores.catalogue import Catalogue

GRACE_S = 24 * 3600.0
"""Age that a blob must have before it is deleted, seconds: an upload comes before the record that mentions it."""


class BlobCollector:
    """Deletes blobs that no span, score, data set or model mentions."""

    def __init__(self, catalogue: Catalogue, traces: TraceStore, blobs: BlobStore) -> None:
        self._catalogue = catalogue
        self._traces = traces
        self._blobs = blobs

    async def collect(self, *, among: Iterable[str] | None = None, grace_s: float = GRACE_S) -> dict[str, int]:
        """Delete what nothing mentions; digests with their bytes.

        Arguments:
            among: only these, where they are blobs at all; by default all.
            grace_s: seconds since a blob was stored, or stored again, during which it is left alone.
        """
        sizes = dict(await asyncio.to_thread(self._blobs.sizes))
        if among is not None:
            sizes = {digest: sizes[digest] for digest in among if digest in sizes}
        if not sizes:
            return {}
        began = time.monotonic()
        needed = await asyncio.to_thread(self._of_catalogue) | await mentioned(self._traces)
        gone: dict[str, int] = {}
        for digest in sizes.keys() - needed:
            # What was stored since the record was looked at is mentioned by now, or about to be.
            old = max(grace_s, time.monotonic() - began)
            if await asyncio.to_thread(self._blobs.collect, digest, older_than_s=old):
                gone[digest] = sizes[digest]
        return gone

    def _of_catalogue(self) -> set[str]:
        datasets = {dataset.blob for dataset in self._catalogue.datasets.list()}
        return datasets | {model.sha256 for model in self._catalogue.models.list()}
