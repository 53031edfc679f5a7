"""A temporary folder that lives as long as whoever made it, however that ends.

Who is killed leaves its folder behind, so the next one that makes one looks for those whose owner is gone. Whether it is, a lock
says that dies with the processes that hold it; the name and its age say nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from noria.stores.folder_lock import try_lock

_LOCK = ".owner"
_PREFIXES = ("noria-up-", "noria-workers-", "noria-serve-")
"""Beginnings of the names of such folders."""


class OwnFolder(NamedTuple):
    """Where it is, and what keeps it."""

    path: Path
    """The folder, which nobody else may enter."""
    lock: int
    """Descriptor of its lock. A process that is started with it keeps the folder from being tidied away, too."""


@contextlib.contextmanager
def own_folder(purpose: str) -> Iterator[OwnFolder]:
    """A folder below the system's for temporary files, until the end of the block. Those of owners that were killed go at once.

    Arguments:
        purpose: ``up``, ``workers`` or ``serve``, as part of its name.
    """
    _tidy(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"noria-{purpose}-", ignore_cleanup_errors=True) as name:
        lock = _locked(Path(name))
        try:
            yield OwnFolder(Path(name), lock)
        finally:
            os.close(lock)


def _locked(folder: Path) -> int:
    """Lock a folder: the file gets its name when it is locked already, so that nobody finds it there unlocked."""
    made = folder / f"{_LOCK}.new"
    lock = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try_lock(lock, shared=False)
    if os.name == "posix":  # Windows renames no open file; there folders are not tidied away
        made.rename(folder / _LOCK)
    return lock


def _tidy(place: Path) -> None:
    """Delete folders of this user whose owners are gone. One without a lock is just being made, or none of ours."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIXES):
                with contextlib.suppress(OSError):
                    _remove_if_left(Path(entry.path))


def _remove_if_left(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if try_lock(lock, shared=False) and os.fstat(lock).st_nlink:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
