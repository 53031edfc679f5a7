"""Who holds a data folder: an advisory lock that dies with its process, and a note that says who that is.

The note alone proves nothing, because a killed process leaves it behind; the lock alone says nothing, because the
system does not tell who holds it. So the note is believed only while the lock is held.

The lock is on the open file, not inherited by programs that this process starts; a plain ``os.fork`` without ``exec``
would share it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import Conflict
from noria.core.struct import Noun
from noria.stores.disk import write_whole

_LOCK = "lock"
_NOTE = "holder.json"
_PATIENCE_S = 0.25
"""``holder_of`` tries the lock for a moment, and a stopping process takes one to let go: neither is a conflict."""


class Holder(Noun):
    """The process that holds a data folder."""

    pid: int | None = None
    """Process id; None when the holder has not said yet."""
    command: str = ""
    """What it is, such as ``noria up``."""
    url: str | None = None
    """Where it answers over HTTP; None when it does not."""
    since_ns: int | None = None
    """When it took the folder, nanoseconds since 1970 UTC."""

    def __str__(self) -> str:
        text = f'"{self.command}"' if self.command else "another process"
        details = [f"process {self.pid}"] if self.pid is not None else []
        if self.since_ns is not None:
            details.append(f"since {datetime.fromtimestamp(self.since_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC")
        if details:
            text += f" ({', '.join(details)})"
        return f"{text} at {self.url}" if self.url else text


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def try_lock(descriptor: int, *, shared: bool) -> bool:
        """Lock without waiting. Windows knows no shared locks here, so a probe is a short exclusive one."""
        del shared
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool) -> bool:
        """Lock without waiting."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FolderLock:
    """A folder that is held by this process until :meth:`release`, or until the process ends, however it ends."""

    def __init__(self, path: Path, descriptor: int, holder: Holder) -> None:
        self._path = path
        self._descriptor: int | None = descriptor
        self.holder = holder

    @classmethod
    def take(cls, path: Path, *, command: str, url: str | None) -> FolderLock:
        """Take the lock of the folder ``path``.

        Raises:
            Conflict: another process has it; the sentence says which, and what to do.
            OSError: the folder can't be written.
        """
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait_for_lock(descriptor, path)
            lock = cls(path, descriptor, Holder())
            lock.announce(Holder(pid=os.getpid(), command=command, url=url, since_ns=time.time_ns()))
        except BaseException:
            os.close(descriptor)
            raise
        return lock

    def announce(self, holder: Holder) -> None:
        """Write the note."""
        write_whole(self._path / _NOTE, msgspec.json.encode(holder), mode=0o644)
        self.holder = holder

    def release(self) -> None:
        """Remove the note, then let go. A second call does nothing."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # a note that stays behind is not believed without the lock
            (self._path / _NOTE).unlink()
        os.close(self._descriptor)
        self._descriptor = None


def holder_of(path: str | Path) -> Holder | None:
    """The process that holds a data folder now, or None.

    A note without a lock is a killed process's and does not count. Looking takes nothing from anybody: the probe is a
    shared lock, let go at once.
    """
    folder = Path(path)
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if try_lock(descriptor, shared=True) else _note(folder)
    finally:
        os.close(descriptor)


def killed_holder_of(path: str | Path) -> Holder | None:
    """The process that held a data folder last, if it was killed and nobody has held the folder since."""
    folder = Path(path)
    if not (folder / _NOTE).exists() or holder_of(folder) is not None:
        return None
    return _note(folder)


def _note(path: Path) -> Holder:
    """What the holder says of itself; an empty one when it has not said yet, can't be understood or believed."""
    try:
        with (path / _NOTE).open("rb") as file:
            if not _believed(os.fstat(file.fileno()).st_uid, path):
                return Holder()
            return msgspec.json.decode(file.read(), type=Holder)
    except (*UNREADABLE, OSError):
        return Holder()


def _believed(author: int, path: Path) -> bool:
    """Whether a note's author may say where this folder's server is: that is where its key gets sent.

    Where others can write in the folder, any of them could hold the lock and name a port of their own.
    """
    return sys.platform == "win32" or author in {0, os.geteuid(), path.stat().st_uid}


def _wait_for_lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not try_lock(descriptor, shared=False):
        if time.monotonic() > deadline:
            raise _conflict(path)
        time.sleep(0.01)


def _conflict(path: Path) -> Conflict:
    holder = _note(path)
    ask = f"Work through it with NORIA_URL={holder.url}, stop it" if holder.url else "Wait for it or stop it"
    return Conflict(
        f"The data folder {path} is in use by {holder}.",
        kept="Nothing was changed.",
        hint=f"{ask}, or choose another folder with --data.",
    )
