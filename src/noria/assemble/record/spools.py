"""How records are spooled: what the settings say, as a way to open the spool."""

from __future__ import annotations

import functools

from noria.settings import Settings
from noria.stores.disk import Sync, to_disk, to_system
from noria.stores.spool import OpenSpool, Spool

_SYNCS: dict[str, Sync] = {"fsync": to_disk, "os": to_system}


def spool_as(settings: Settings) -> OpenSpool:
    """Opens a spool as strict, and as considerate of the disk's last megabytes, as the settings want."""
    return functools.partial(
        Spool.open, sync=_SYNCS[settings.durability], reserve_bytes=settings.keep_free_mb * 1_000_000
    )
