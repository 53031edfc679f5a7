"""The data folder: one place on disk for everything, held by one process at a time.

What is in it:

    FORMAT             number of the folder's layout
    lock, holder.json  who holds it (see ``folder_lock``)
    admin.key          the admin key, mode 0600
    catalogue.sqlite   apps, prompts, data sets, experiments
    replies.sqlite     kept replies, where there is a cache
    traces.duckdb      spans and scores
    spool/             records on their way to the traces; in workers/ those of workers
    blobs/             weights, data sets, big payloads, by SHA-256
    logs/              one file for each engine
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from noria.core.errors import InvalidInput
from noria.stores.disk import disk_errors, make_folder, write_whole
from noria.stores.folder_lock import FolderLock, Holder, holder_of, killed_holder_of

__all__ = ["FORMAT", "DataFolder", "FolderPaths", "Holder", "holder_of", "killed_holder_of", "stored_key"]

Step = Callable[[Path], None]

_STEPS: tuple[Step, ...] = ()
"""Step ``i`` turns layout ``i + 1`` into the next. Each must bear being run again, because a crash may repeat it."""

FORMAT = 1 + len(_STEPS)
"""The layout that this version of Noria writes."""

_KEY = "admin.key"


class FolderPaths:
    """What is where in a data folder, whoever holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def catalogue_url(self) -> str:
        """Database URL of the embedded catalogue."""
        return f"sqlite:///{self.path / 'catalogue.sqlite'}"

    @property
    def replies_url(self) -> str:
        """Database URL of kept replies."""
        return f"sqlite:///{self.path / 'replies.sqlite'}"

    @property
    def traces(self) -> Path:
        """File of the embedded trace store."""
        return self.path / "traces.duckdb"

    @property
    def spool(self) -> Path:
        """Folder of records on their way to the trace store."""
        return self.path / "spool"

    @property
    def blobs(self) -> Path:
        """Folder of content-addressed files."""
        return self.path / "blobs"

    @property
    def logs(self) -> Path:
        """Folder of the engines' logs."""
        return self.path / "logs"

    @property
    def key_file(self) -> Path:
        """File of the admin key."""
        return self.path / _KEY


class DataFolder(FolderPaths):
    """A data folder that this process holds. Use as a context manager, or call :meth:`close`."""

    def __init__(self, path: Path, lock: FolderLock) -> None:
        super().__init__(path)
        self._lock = lock

    @classmethod
    def open(cls, path: str | Path, *, holder: str, url: str | None = None) -> DataFolder:
        """Create the folder if needed (mode 0700), take it, and bring its layout up to date.

        Arguments:
            path: the folder; ``~`` is the user's home.
            holder: what this process is, in words that help whoever finds the folder taken: ``noria up``.
            url: where this process answers over HTTP, when that is known already.

        Raises:
            Conflict: another process holds it.
            InvalidInput: it comes from a newer version of Noria, or can't be used.
            StorageFull: the disk is full or read-only.
        """
        folder = Path(path).expanduser().absolute()
        with disk_errors(folder):
            make_folder(folder, mode=0o700)
            lock = FolderLock.take(folder, command=holder, url=url)
            try:
                bring_up_to_date(folder, _STEPS)
                opened = cls(folder, lock)
                for room in (opened.spool, opened.blobs, opened.logs):
                    make_folder(room, mode=0o700)
            except BaseException:
                lock.release()
                raise
        return opened

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def holder(self) -> Holder:
        """How this process is known to those who find the folder taken."""
        return self._lock.holder

    def set_url(self, url: str) -> None:
        """Say where this process answers over HTTP, once its port is known."""
        with disk_errors(self.path):
            self._lock.announce(msgspec.structs.replace(self._lock.holder, url=url))

    def admin_key(self, env_value: str | None) -> str:
        """The admin key: ``env_value`` (``NORIA_API_KEY``) where set, else the stored one, made on first start.

        A key from the environment is not written down. The caller keeps it out of logs.

        Raises:
            StorageFull: a new key can't be kept, so none was made.
            InvalidInput: the key file can't be read or written.
        """
        given = (env_value or "").strip()
        if given:
            return given
        with disk_errors(self.key_file):
            key = stored_key(self.path)
            if key is None:
                key = f"noria_{secrets.token_urlsafe(32)}"
                write_whole(self.key_file, key.encode() + b"\n", mode=0o600)
            elif os.name != "nt":
                self.key_file.chmod(0o600)  # whoever copied the folder may have lost the mode on the way
        return key


def stored_key(path: str | Path) -> str | None:
    """The admin key kept in a folder, for a CLI that talks to the server that holds it; None when there is none."""
    file = Path(path).expanduser() / _KEY
    with disk_errors(file):
        try:
            return file.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise InvalidInput(f"{file} does not hold a key.", hint="Delete it, and a new one is made.") from None


def bring_up_to_date(path: Path, steps: Sequence[Step]) -> None:
    """Run the steps that a folder's layout still lacks, writing its number after each.

    Raises:
        InvalidInput: the layout is newer than ``steps`` know, or its number can't be read. Nothing was changed.
    """
    file = path / "FORMAT"
    newest = 1 + len(steps)
    try:
        text = file.read_bytes().strip()
    except FileNotFoundError:
        write_whole(file, b"%d\n" % newest, mode=0o644)
        return
    if not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise InvalidInput(
            f"{file} does not hold a number, so the folder's layout is unknown.",
            kept="Nothing was changed.",
            hint="Choose another folder with --data, or put the number back.",
        )
    found = int(text)
    if found > newest:
        raise InvalidInput(
            f"The data folder {path} was written by a newer version of Noria "
            f"(layout {found}; this version knows {newest}).",
            kept="Nothing was changed.",
            hint="Upgrade Noria, or choose another folder with --data.",
        )
    for number, step in enumerate(steps[found - 1 :], start=found + 1):
        step(path)
        write_whole(file, b"%d\n" % number, mode=0o644)
