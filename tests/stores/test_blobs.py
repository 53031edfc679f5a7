"""One contract for blobs in a folder and blobs on any other file system."""

import errno
import hashlib
import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.core.errors import InvalidInput, StorageFull, Unavailable, UnknownName
from noria.core.protocols import BlobStore
from noria.stores.blobs import Blobs, RemoteBlobs, open_blobs

ABSENT = "0" * 64


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    match request.param:
        case "folder":
            place = str(tmp_path / "blobs")
        case "memory":
            place = f"memory://{tmp_path.name}"
        case _:
            place = f"s3://{request.getfixturevalue('s3_bucket')}/blobs"
    yield open_blobs(place, cache=tmp_path / "cache")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_what_is_put_can_be_read(store: BlobStore) -> None:
    for source in (b"hello", io.BytesIO(b"hello")):
        sha256 = store.put(source)
        assert sha256 == digest(b"hello")
    assert store.has(sha256)
    with store.open(sha256) as file:
        assert file.read() == b"hello"
    assert Path(store.path(sha256)).read_bytes() == b"hello"
    assert store.sizes() == {sha256: 5}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_come_back(store: BlobStore, content: bytes) -> None:
    with store.open(store.put(content)) as file:
        assert file.read() == content


def test_big_blobs_are_streamed(store: BlobStore) -> None:
    class Endless:
        """Gives 3 MiB and a byte, a piece at a time, and never all at once."""

        left = 3 * 2**20 + 1

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 2**20
            piece = b"x" * min(size, self.left)
            self.left -= len(piece)
            return piece

    source: Any = Endless()
    sha256 = store.put(source)
    assert sha256 == digest(b"x" * (3 * 2**20 + 1))
    assert store.sizes() == {sha256: 3 * 2**20 + 1}


def test_the_wrong_content_is_refused_and_not_kept(store: BlobStore) -> None:
    with pytest.raises(InvalidInput, match=rf"SHA-256 is {digest(b'evil')}, not {digest(b'good')}"):
        store.put(b"evil", expect=digest(b"good"))
    assert store.sizes() == {}
    assert store.put(b"good", expect=digest(b"good").upper()) == digest(b"good")


def test_a_missing_blob_is_unknown(store: BlobStore) -> None:
    assert not store.has(ABSENT)
    for ask in (store.open, store.path):
        with pytest.raises(UnknownName, match=ABSENT):
            ask(ABSENT)
    store.delete(ABSENT)


def test_a_deleted_blob_is_gone(store: BlobStore) -> None:
    sha256 = store.put(b"hello")
    store.put(b"other")
    store.path(sha256)
    store.delete(sha256)
    assert not store.has(sha256)
    assert list(store.sizes()) == [digest(b"other")]
    with pytest.raises(UnknownName):
        store.path(sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "/" * 64])
def test_a_name_that_is_no_digest_never_becomes_a_path(store: BlobStore, name: str) -> None:
    for ask in (store.open, store.path, store.has, store.delete):
        with pytest.raises(InvalidInput, match="not a SHA-256"):
            ask(name)


def test_a_source_that_breaks_off_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            return super().read(3)

    with pytest.raises(ConnectionResetError):
        store.put(Broken(b"hello"))
    assert store.sizes() == {}
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_full_disk_leaves_nothing(store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store.put(b"kept")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="No space left"):
        store.put(b"too much")
    assert store.sizes() == {kept: 4}
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == {kept}


def test_blobs_are_fanned_out_by_their_first_digits(tmp_path: Path) -> None:
    sha256 = Blobs(tmp_path).put(b"hello")
    assert (tmp_path / sha256[:2] / sha256[2:4] / sha256).read_bytes() == b"hello"


def test_putting_known_content_writes_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    first = Path(blobs.path(blobs.put(b"hello"))).stat()
    second = Path(blobs.path(blobs.put(b"hello"))).stat()
    assert first.st_ino == second.st_ino, "a file that is written anew is another file"
    assert list((tmp_path / "partial").iterdir()) == []


def test_what_killed_writers_left_is_swept_away_a_day_later(tmp_path: Path) -> None:
    Blobs(tmp_path)
    old, new = tmp_path / "partial" / "old", tmp_path / "partial" / "new"
    for file in (old, new):
        file.write_text("half")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    assert Blobs(tmp_path).sizes() == {}
    assert list((tmp_path / "partial").iterdir()) == [new]


def test_a_place_is_a_folder_or_a_url(tmp_path: Path) -> None:
    assert isinstance(open_blobs(tmp_path / "a", cache=tmp_path), Blobs)
    assert isinstance(open_blobs(f"file://{tmp_path}/b", cache=tmp_path), Blobs)
    assert (tmp_path / "b").is_dir()
    assert isinstance(open_blobs("memory://c", cache=tmp_path / "cache"), RemoteBlobs)
    with pytest.raises(InvalidInput, match="nonsense://"):
        open_blobs("nonsense://key:secret@host/x", cache=tmp_path / "cache")
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="can't be used"):
        open_blobs(tmp_path / "file", cache=tmp_path)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RemoteBlobs]:
    yield RemoteBlobs("memory://far", cache=Blobs(tmp_path / "one"))
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_another_machine_fetches_a_remote_blob_once(remote: RemoteBlobs, tmp_path: Path) -> None:
    sha256 = remote.put(b"hello")
    other = RemoteBlobs("memory://far", cache=Blobs(tmp_path / "two"))
    path = other.path(sha256)
    assert Path(path).read_bytes() == b"hello"
    assert Path(path).is_relative_to(tmp_path / "two")
    assert other.path(sha256) == path


def test_a_remote_blob_that_was_tampered_with_is_refused(remote: RemoteBlobs, tmp_path: Path) -> None:
    sha256 = remote.put(b"hello")
    (place,) = [name for name in MemoryFileSystem.store if name.endswith(sha256)]
    MemoryFileSystem().pipe_file(place, b"evil!")
    other = RemoteBlobs("memory://far", cache=Blobs(tmp_path / "two"))
    with pytest.raises(InvalidInput, match="not .* as expected"):
        other.path(sha256)


def test_an_upload_that_breaks_off_leaves_nothing_there(remote: RemoteBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "mv", broken)
        with pytest.raises(Unavailable, match="memory://far does not answer"):
            remote.put(b"hello")
    assert not remote.has(digest(b"hello"))
    assert MemoryFileSystem.store == {}
    assert remote.put(b"hello") == digest(b"hello")
    assert remote.has(digest(b"hello"))


def test_a_download_that_breaks_off_leaves_no_copy(
    remote: RemoteBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    sha256 = remote.put(b"hello")
    other = RemoteBlobs("memory://far", cache=Blobs(tmp_path / "two"))
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "open", lambda *_, **__: Broken())
        with pytest.raises(Unavailable, match="timed out"):
            other.path(sha256)
    assert Blobs(tmp_path / "two").sizes() == {}
    assert Path(other.path(sha256)).read_bytes() == b"hello"


def test_a_full_remote_says_so(remote: RemoteBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(MemoryFileSystem, "put_file", full)
    with pytest.raises(StorageFull, match="memory://far"):
        remote.put(b"hello")


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the clock is ahead: the times of an S3 server's objects are its own."""
    seconds, now = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds[0])
    return seconds


def grow_old(store: BlobStore, sha256: str, ahead: list[float]) -> None:
    """Let a blob be of 1970, or the present be later."""
    if isinstance(store, RemoteBlobs) and not isinstance(store._files, MemoryFileSystem):
        ahead[0] = 1e6
    if isinstance(store, Blobs):
        os.utime(store.path(sha256), (0, 0))
    for path, file in MemoryFileSystem.store.items():
        if path.endswith(sha256):
            file.modified = datetime.fromtimestamp(0, UTC)


def test_old_blobs_are_collected_and_those_put_again_are_young(store: BlobStore, ahead: list[float]) -> None:
    sha256 = store.put(b"hello")
    assert not store.collect(sha256, older_than_s=60)
    grow_old(store, sha256, ahead)
    store.put(b"hello")
    ahead[0] = 0.0
    assert not store.collect(sha256, older_than_s=60), "somebody needs it again"
    grow_old(store, sha256, ahead)
    assert store.collect(sha256, older_than_s=60)
    assert not store.has(sha256)
    assert not store.collect(sha256, older_than_s=0)
