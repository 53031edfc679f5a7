"""Content-addressed bytes: a folder on this machine, or any file system that fsspec reaches.

A blob's name is its SHA-256, its place is fanned out by the first four digits so that no folder grows huge:
``9f/86/9f86d081...``. A blob appears under its name only when it is whole.

    folder.py   in a folder of this machine
    remote.py   on a file system that fsspec reaches
    naming.py   what they are called, and where they lie
"""

from __future__ import annotations

from pathlib import Path

from noria.core.protocols import BlobStore
from noria.stores.blobs.folder import Blobs
from noria.stores.blobs.remote import RemoteBlobs

__all__ = ["Blobs", "RemoteBlobs", "open_blobs"]


def open_blobs(place: str | Path, *, cache: Path) -> BlobStore:
    """Blobs at ``place``: a folder, or an fsspec URL such as ``s3://bucket/prefix``.

    Arguments:
        place: where they live.
        cache: folder for local copies of remote blobs; unused for a local place.

    Raises:
        InvalidInput: no such place, no bucket, or no way in.
        Unavailable: it does not answer.
    """
    text = str(place)
    if text.startswith("file://"):
        return Blobs(text.removeprefix("file://"))
    if "://" not in text:
        return Blobs(place)
    remote = RemoteBlobs(text, cache=Blobs(cache))
    remote.check()
    return remote
