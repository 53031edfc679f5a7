"""Backups: what is in one, told by the last thing in it, so that one that was cut short tells nothing."""

from __future__ import annotations

import msgspec

from noria.core.identity import content_id
from noria.core.struct import Noun

FORMAT = 1
"""Grows when older versions of Noria could not read a backup any more."""


class BackupFile(Noun):
    """One file of a backup."""

    bytes: int
    """Its size."""
    sha256: str
    """Its digest, 64 hex digits."""


class Manifest(Noun):
    """What a backup holds."""

    format: int
    """How it is laid out."""
    id: str
    """Opaque id."""
    noria: str
    """Version that made it."""
    created_ns: int
    """When it was begun: everything acknowledged before is in it. Nanoseconds since 1970 UTC."""
    revision: str
    """Revision of the catalogue's tables."""
    spans: int = 0
    """Spans; one that was sent again meanwhile counts twice."""
    scores: int = 0
    """Scores."""
    blobs: int = 0
    """Blobs: data sets, large contents, weights."""
    weights: bool = True
    """Whether weights of local models are in it; without them, models have to be pulled again."""
    key: bool = False
    """Whether the admin key is in it."""
    audit_head: str = ""
    """Hash of the newest entry of the audit log in it."""
    damaged: tuple[str, ...] = ()
    """Blobs that were damaged already where the backup was made, so that they are not in it."""
    files: dict[str, BackupFile] = {}
    """Every file but the manifest itself, by name."""
    seal: str = ""
    """Content id of all the rest."""


def sealed(manifest: Manifest) -> Manifest:
    """The manifest with its seal, by which a change of it shows."""
    open_ = msgspec.structs.replace(manifest, seal="")
    return msgspec.structs.replace(open_, seal=content_id("manifest", open_))
