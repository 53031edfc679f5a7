"""Blobs in a folder of this machine."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from noria.core.errors import InvalidInput
from noria.stores.blobs.naming import DIGEST, missing, place_of
from noria.stores.disk import disk_errors, make_folder, sync_folder

_CHUNK = 1 << 20
_ABANDONED_S = 24 * 3600
"""A partial file this old belongs to a writer that was killed."""


class Blobs:
    """Blobs in a folder of this machine. Safe to call from several threads."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._partial = self._folder / "partial"
        self._renewing = threading.Lock()  # between seeing that a blob is old and removing it, nobody puts it again
        with disk_errors(self._folder):
            self._partial.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file in self._partial.iterdir():
                if time.time() - file.stat().st_mtime > _ABANDONED_S:
                    file.unlink(missing_ok=True)

    def put(self, source: BinaryIO | bytes, *, expect: str | None = None) -> str:
        """Store and return the SHA-256, once the bytes are on disk.

        What ``source`` raises while it is read passes through; nothing was kept then.

        Raises:
            InvalidInput: the digest is not ``expect``; nothing was kept.
            StorageFull: no room; nothing was kept.
        """
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        with self._new_file() as file:
            digest = _copy(stream, file, self._folder)
            _compare(digest, expect)
            target = self._place(digest)
            with disk_errors(self._folder):
                with self._renewing:
                    if target.exists():
                        os.utime(target)  # whoever put it needs it: it is not to be collected as an old one
                        return digest
                file.flush()
                os.fsync(file.fileno())
                file.close()  # Windows renames closed files only
                make_folder(target.parent, mode=0o700)
                Path(file.name).replace(target)
                sync_folder(target.parent)
        return digest

    def open(self, sha256: str) -> BinaryIO:
        """Read a blob. Raises ``UnknownName``."""
        return Path(self.path(sha256)).open("rb")

    def path(self, sha256: str) -> str:
        """The blob's file, to be read only. Raises ``UnknownName``."""
        place = self._place(sha256)
        if not place.is_file():
            raise missing(sha256, self._folder)
        return str(place)

    def has(self, sha256: str) -> bool:
        """Whether it is there."""
        return self._place(sha256).is_file()

    def delete(self, sha256: str) -> None:
        """Remove; no error when it is not there."""
        with disk_errors(self._folder):
            self._place(sha256).unlink(missing_ok=True)

    def collect(self, sha256: str, *, older_than_s: float) -> bool:
        """Remove unless it was put, or put again, within that time; whether it was removed."""
        place = self._place(sha256)
        with disk_errors(self._folder), self._renewing:
            if not place.exists() or time.time() - place.stat().st_mtime < older_than_s:
                return False
            place.unlink()
        return True

    def sizes(self) -> Mapping[str, int]:
        """All digests with their bytes."""
        with disk_errors(self._folder):
            files = [file for file in self._folder.glob("??/??/*") if DIGEST.fullmatch(file.name)]
            return {file.name: file.stat().st_size for file in files}

    def _place(self, sha256: str) -> Path:
        return self._folder / place_of(sha256)

    @contextmanager
    def _new_file(self) -> Iterator[Any]:
        """A partial file that is gone afterwards, unless it was renamed."""
        with disk_errors(self._folder):
            file = tempfile.NamedTemporaryFile(dir=self._partial, delete=False)  # noqa: SIM115 - closed to be renamed
        try:
            yield file
        finally:
            with disk_errors(self._folder):
                try:
                    file.close()
                finally:
                    Path(file.name).unlink(missing_ok=True)


def _copy(source: BinaryIO, target: BinaryIO, place: Path) -> str:
    """Copy to the end, a piece at a time, and return the SHA-256. Only errors of writing are the disk's."""
    digest = hashlib.sha256()
    while piece := source.read(_CHUNK):
        digest.update(piece)
        with disk_errors(place):
            target.write(piece)
    return digest.hexdigest()


def _compare(digest: str, expect: str | None) -> None:
    if expect is not None and digest != expect.lower():
        raise InvalidInput(
            f"The content's SHA-256 is {digest}, not {expect} as expected.",
            kept="Nothing was stored.",
            hint="Fetch it again; if this repeats, the source has changed or is not to be trusted.",
        )
