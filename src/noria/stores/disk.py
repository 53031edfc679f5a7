"""Writing files so that a crash or a full disk leaves the old content or the new, never half of one."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from noria.core.errors import InvalidInput, NoriaError, StorageFull

_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EROFS", "EFBIG") if hasattr(errno, name))


def disk_error(error: OSError, place: str | Path) -> NoriaError:
    """What an ``OSError`` means to a user: the disk is full or read-only, or the place can't be used."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StorageFull(
            f"Nothing more can be written to {place}: {reason}.",
            kept="Everything written before is kept.",
            hint="Free some space, or choose another place.",
        )
    return InvalidInput(f"{place} can't be used: {reason}.", hint="Check the path and its permissions.")


@contextmanager
def disk_errors(place: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` of the body into Noria's own error about ``place``."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, place) from error


Sync = Callable[[int], None]
"""What is done with an open file's new bytes before whoever wrote them is answered."""


def to_disk(file: int) -> None:
    """Return when the file's bytes survive a power cut."""
    if sys.platform == "darwin":  # there fsync leaves them in the drive's own memory
        import fcntl  # noqa: PLC0415  # Windows has none

        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        getattr(os, "fdatasync", os.fsync)(file)  # Windows has no fdatasync


def to_system(file: int) -> None:
    """Return at once: the system has the bytes, so they survive this process, and the system writes them when it likes."""


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Make a folder where there is none, with those above it, so that no power cut takes it and what is in it away."""
    new = [path]
    while not new[-1].parent.exists():
        new.append(new[-1].parent)
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for made in new:
        sync_folder(made.parent)


def sync_folder(path: Path) -> None:
    """Make renames within a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends well: readers see the old content or the new.

    Its bytes are on the disk by then, and it has its final mode before the first of them. That it has taken the place
    survives a power cut after :func:`sync_folder`.

    Raises:
        OSError: as the system gives it; ``path`` is as it was before.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a small file, durably, see :func:`replacing`."""
    with replacing(path, mode=mode) as file:
        file.write(content)
    sync_folder(path.parent)
