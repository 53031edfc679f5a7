"""The disk as a power cut would leave it: of each file what was synced, of each folder what was made durable.

While the server runs, each of its syncs is watched before it happens (see ``watched``): the file's content at that
moment goes to a copy beside the data folder. After the server was killed, the copies *are* the data folder. What was
written later is gone, but for a part of the spool's unsynced end now and then, cut anywhere or zeroed, as disks do.

The model is that of ext4, xfs and btrfs, and harsher where they promise nothing: syncing a file keeps its name, too;
all other new names, renames and removals are lost until their folder was synced, so files that were deleted come back.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from pathlib import Path

from durable.watched import Synced

_APPENDED = ".spool"


class PowerCut:
    """Keeps what would survive.

    Arguments:
        data: the server's data folder.
        kept: a folder of ours on the same disk.
        chance: decides what becomes of unsynced bytes.
    """

    def __init__(self, data: Path, kept: Path, chance: random.Random) -> None:
        self._data = data
        self._kept = kept
        self._chance = chance
        self._names: dict[Path, dict[str, int | None]] = {}  # inodes of files; folders have None
        self._copies: dict[str, Path] = {}
        self.syncs = 0
        """Syncs seen."""
        self.dropped_bytes = 0
        """Bytes that the server had written to its spool and not synced when the power went."""

    def begin(self) -> None:
        """Everything in the data folder is durable now."""
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir(parents=True)
        self._names, self._copies = {}, {}
        if self._data.exists():
            for folder, _, files in os.walk(self._data):
                self._list(Path(folder))
                for name in files:
                    path = Path(folder, name)
                    self._copy(path, _key(path, path.stat().st_ino), name)

    def synced(self, call: Synced) -> int:
        """Before a sync: keep what it is about to make durable."""
        path = Path(call.path.removesuffix(" (deleted)"))
        if not path.is_relative_to(self._data):
            return 0
        self.syncs += 1
        opened = Path(f"/proc/{call.pid}/fd/{call.file}")
        facts = opened.stat()
        if stat.S_ISDIR(facts.st_mode):
            self._list(path)
            return 0
        self._copy(opened, _key(path, facts.st_ino), path.name)
        if not call.path.endswith(" (deleted)"):
            for inner in (path, *path.parents):
                if inner == self._data:
                    break
                self._names.setdefault(inner.parent, {})[inner.name] = None if inner.is_dir() else inner.stat().st_ino
        return 0

    def cut(self) -> None:
        """The power is back: turn the data folder into what was durable."""
        ends = self._unsynced_ends()
        if self._data.exists():  # not yet, where it went while the first start began
            shutil.rmtree(self._data)
        self._restore(self._data, ends)

    def _list(self, folder: Path) -> None:
        self._names[folder] = {entry.name: None if entry.is_dir() else entry.inode() for entry in os.scandir(folder)}

    def _copy(self, source: Path, key: str, name: str) -> None:
        target = self._copies.setdefault(key, self._kept / key)
        with source.open("rb") as reading, target.open("r+b" if target.exists() else "w+b") as writing:
            size = os.fstat(reading.fileno()).st_size
            start = 0
            if name.endswith(_APPENDED):  # never written but at its end
                start = min(size, os.fstat(writing.fileno()).st_size)
            reading.seek(start)
            writing.seek(start)
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.truncate(size)

    def _unsynced_ends(self) -> dict[str, bytes]:
        """Of each segment, what the disk may have got of its end without a sync."""
        ends = {}
        for path in self._data.rglob(f"*{_APPENDED}"):
            kept = self._copies.get(_key(path, 0))
            with path.open("rb") as file:
                file.seek(kept.stat().st_size if kept else 0)
                end = file.read()
            self.dropped_bytes += len(end)
            if end and self._chance.random() < 0.6:
                part = end[: self._chance.randrange(len(end) + 1)]
                ends[_key(path, 0)] = part if self._chance.random() < 0.6 else bytes(len(part))
        return ends

    def _restore(self, folder: Path, ends: dict[str, bytes]) -> None:
        folder.mkdir()
        for name, inode in self._names.get(folder, {}).items():
            path = folder / name
            if inode is None:
                self._restore(path, ends)
                continue
            path.touch()  # where a name was durable, and no byte of it
            if kept := self._copies.get(_key(path, inode)):
                shutil.copyfile(kept, path)
            with path.open("ab") as file:
                file.write(ends.get(_key(path, 0), b""))


def _key(path: Path, inode: int) -> str:
    """Segments by spool and name, which no other ever has; the rest by inode, because they are renamed."""
    return f"{path.parent.name}-{path.name}" if path.name.endswith(_APPENDED) else str(inode)
