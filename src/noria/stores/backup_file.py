"""A backup as one tar archive (POSIX.1-2001), written as a stream and read back only when every digest is right.

    catalogue/<table>.jsonl   rows, one JSON object a line
    spans/000001.jsonl.gz     spans in order of arrival
    scores/000001.jsonl.gz    scores in order of time
    blobs/<sha256>            bytes
    admin.key                 only where asked for
    manifest.json             last: what must be there, with sizes and SHA-256

Nothing here knows what the files mean.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Self, cast

import msgspec

from noria.core.backups import FORMAT, BackupFile, Manifest, sealed
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.stores.disk import disk_errors

MANIFEST = "manifest.json"
CHUNK = 1 << 20
_MOST_MANIFEST = 1 << 30
_BLOCK = 512
_END = bytes(2 * _BLOCK)


class BackupWriter:
    """Turns files into the bytes of an archive, and remembers their digests."""

    def __init__(self, created_s: float) -> None:
        self._created_s = created_s
        self.files: dict[str, BackupFile] = {}
        """What was written so far."""

    def whole(self, name: str, content: bytes) -> bytes:
        """A file whose content is at hand."""
        self.files[name] = BackupFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        return self._head(name, len(content)) + content + _padding(len(content))

    def pieces(self, name: str, size: int, read: Callable[[int], bytes]) -> Iterator[bytes]:
        """A file of ``size`` bytes, a piece at a time; where there are fewer, zeros stand for the rest."""
        yield self._head(name, size)
        digest, left = hashlib.sha256(), size
        while left:
            piece = read(min(CHUNK, left)) or bytes(min(CHUNK, left))
            digest.update(piece)
            left -= len(piece)
            yield piece
        self.files[name] = BackupFile(bytes=size, sha256=digest.hexdigest())
        if size % _BLOCK:
            yield _padding(size)

    def end(self, manifest: Manifest) -> bytes:
        """The manifest, over all files written, and the archive's end."""
        content = msgspec.json.encode(sealed(msgspec.structs.replace(manifest, files=self.files)))
        return self._head(MANIFEST, len(content)) + content + _padding(len(content)) + _END

    def _head(self, name: str, size: int) -> bytes:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(self._created_s)
        return info.tobuf(tarfile.PAX_FORMAT)


class BackupReader:
    """A backup that was checked from its first byte to its last. Use as a context manager."""

    def __init__(self, archive: tarfile.TarFile, manifest: Manifest, places: dict[str, tarfile.TarInfo]) -> None:
        self._archive = archive
        self._places = places
        self.manifest = manifest
        """What is in it."""

    @classmethod
    def open(cls, path: Path, *, progress: Callable[[int], None] = lambda _: None) -> BackupReader:
        """Check everything, then give access.

        Arguments:
            path: the archive.
            progress: told the bytes that were checked since it was last told.

        Raises:
            InvalidInput: it is no backup, was cut short or changed, or comes from a newer version.
        """
        with disk_errors(path), _archive_errors(path):
            archive = tarfile.open(path, "r:")  # noqa: SIM115 - closed by close
            try:
                places = {info.name: info for info in archive if info.isreg()}
                if sparse := [name for name, info in places.items() if info.issparse()]:
                    _refuse(path, f"{min(sparse)} has holes: a small archive would become a huge file")
                manifest = _manifest(archive, places, path)
                for name, expected in manifest.files.items():
                    info = places.get(name)
                    if info is None or _read(archive, info, progress) != expected:
                        _refuse(path, f"{name} is {'missing' if info is None else 'not what was written'}")
                if extra := places.keys() - manifest.files.keys() - {MANIFEST}:
                    _refuse(path, f"it holds {min(extra)}, which its manifest does not name")
            except BaseException:
                archive.close()
                raise
        return cls(archive, manifest, places)

    def names(self, folder: str) -> list[str]:
        """Files in a folder of the archive, in order."""
        return sorted(name for name in self.manifest.files if name.startswith(folder + "/"))

    def file(self, name: str) -> BinaryIO:
        """One file, to be read."""
        return cast("BinaryIO", self._archive.extractfile(self._places[name]))  # only regular files have a place

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _manifest(archive: tarfile.TarFile, places: dict[str, tarfile.TarInfo], path: Path) -> Manifest:
    info = places.get(MANIFEST)
    file = archive.extractfile(info) if info and info.size < _MOST_MANIFEST else None
    if file is None:
        raise _damaged(path, "its manifest, which comes last, is missing")
    try:
        content = file.read()
        found = msgspec.json.decode(content, type=dict[str, object])
        if isinstance(number := found.get("format"), int) and number > FORMAT:
            raise InvalidInput(
                f"{path} was made by a newer version of Noria (backup format {number}).", hint="Upgrade Noria."
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except UNREADABLE as error:
        raise _damaged(path, f"its manifest can't be read: {error}") from error
    if manifest != sealed(manifest):
        raise _damaged(path, "its manifest was changed")
    return manifest


def _read(archive: tarfile.TarFile, info: tarfile.TarInfo, progress: Callable[[int], None]) -> BackupFile:
    """Size and digest of what is really there."""
    digest, size = hashlib.sha256(), 0
    if (file := archive.extractfile(info)) is not None:
        while piece := file.read(CHUNK):
            digest.update(piece)
            size += len(piece)
            progress(len(piece))
    return BackupFile(bytes=size, sha256=digest.hexdigest())


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(path, f"it is no whole tar archive ({error})") from error


def _refuse(path: Path, why: str) -> NoReturn:
    raise _damaged(path, why)


def _damaged(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path} is no backup that can be trusted: {why}.", kept="Nothing was restored.", hint="Take another one."
    )


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)
