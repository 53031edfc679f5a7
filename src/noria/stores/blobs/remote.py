"""Blobs on a file system that fsspec reaches."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, cast

from noria.core.errors import InvalidInput, NoriaError, Unavailable
from noria.stores.blobs.folder import Blobs
from noria.stores.blobs.naming import DIGEST, missing, place_of
from noria.stores.disk import disk_error

_RENEWED_S = 3600.0
"""A blob this old is uploaded again when it is put again, so that its age tells when somebody last put it."""


class RemoteBlobs:
    """Blobs on a file system that fsspec reaches: object stores, SSH, memory.

    Digests are computed on the way through a local folder, which also holds the copies that :meth:`path` gives out.
    An object store shows an object only when its upload is complete; other file systems show a growing file, so there
    an upload goes to a partial name first and is moved. Buckets are made by people: a misspelt one is refused.
    """

    def __init__(self, url: str, *, cache: Blobs) -> None:
        import fsspec.core  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 0.2 s a local store need not pay

        try:
            # A remembered listing would hide what another machine stored or deleted.
            self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            scheme = url.partition("://")[0]
            raise InvalidInput(
                f"Blobs can't live at {scheme}://...: {error}.", hint="Install the fsspec package for this scheme."
            ) from error
        self._cache = cache
        self._name = url.partition("?")[0]
        self._bucket = self._root.partition("/")[0] if url.partition("://")[0] in _OBJECT_STORES else None

    def check(self) -> None:
        """See that it answers, and lets us in. Raises ``InvalidInput`` and ``Unavailable``."""
        with self._errors():
            try:
                self._files.info(self._bucket or "/")
            except FileNotFoundError:
                if self._bucket is not None:
                    raise self._no_bucket() from None

    def put(self, source: BinaryIO | bytes, *, expect: str | None = None) -> str:
        """Store and return the SHA-256, once the upload is complete. What ``source`` raises passes through.

        Raises:
            InvalidInput: the digest is not ``expect``; nothing was kept.
            StorageFull: no room, here or there; nothing was kept.
            Unavailable: the other side does not answer; nothing was kept there.
        """
        digest = self._cache.put(source, expect=expect)
        age = self._age_s(digest)
        if age is not None and age < _RENEWED_S:
            return digest
        with self._errors():
            self._upload(self._cache.path(digest), self._place(digest))
        return digest

    def open(self, sha256: str) -> BinaryIO:
        """Read a blob from where it lives. Raises ``UnknownName``."""
        with self._errors():
            try:
                return cast("BinaryIO", self._files.open(self._place(sha256), "rb"))
            except FileNotFoundError:
                raise missing(sha256, self._name) from None

    def path(self, sha256: str) -> str:
        """A local copy, fetched and checked on first use. Raises ``UnknownName``."""
        if not self.has(sha256):
            raise missing(sha256, self._name)
        if not self._cache.has(sha256):
            with self._errors(), self.open(sha256) as source:
                self._cache.put(source, expect=sha256)
        return self._cache.path(sha256)

    def has(self, sha256: str) -> bool:
        """Whether it is there."""
        with self._errors():
            try:
                self._files.info(self._place(sha256))  # isfile says no to every failure
            except FileNotFoundError:
                return False
            return True

    def delete(self, sha256: str) -> None:
        """Remove, with the local copy; no error when it is not there."""
        self._cache.delete(sha256)
        with self._errors():
            try:
                self._files.rm_file(self._place(sha256))
            except FileNotFoundError:
                return

    def collect(self, sha256: str, *, older_than_s: float) -> bool:
        """Remove, with the local copy, unless it was put within that time; whether it was removed.

        What is put again after :data:`_RENEWED_S` is uploaded again, so that it is young again.
        """
        age = self._age_s(sha256)
        if age is None or age < older_than_s:
            return False
        self.delete(sha256)
        return True

    def sizes(self) -> Mapping[str, int]:
        """All digests with their bytes."""
        with self._errors():
            try:
                found = self._files.find(self._root, detail=True)
            except FileNotFoundError:
                found = {}
        named = ((path.rpartition("/")[2], details["size"]) for path, details in found.items())
        return {name: size for name, size in named if DIGEST.fullmatch(name)}

    def _age_s(self, sha256: str) -> float | None:
        """Seconds since it was stored; None where it is not there."""
        with self._errors():
            try:
                return time.time() - float(self._files.modified(self._place(sha256)).timestamp())
            except FileNotFoundError:
                return None
            except NotImplementedError:  # a file system without times: nothing in it ever grows old
                return 0.0 if self.has(sha256) else None

    def _upload(self, file: str, target: str) -> None:
        if self._bucket is not None:
            try:
                self._files.put_file(file, target)
            except FileNotFoundError:
                raise self._no_bucket() from None
            return
        partial = f"{self._root}/partial/{secrets.token_hex(16)}"
        try:
            self._files.makedirs(f"{self._root}/partial", exist_ok=True)
            self._files.put_file(file, partial)
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.mv(partial, target)
        except BaseException:
            if self._files.exists(partial):
                self._files.rm_file(partial)
            raise

    def _no_bucket(self) -> InvalidInput:
        return InvalidInput(
            f"The blob store {self._name} has no bucket {self._bucket!r}.",
            kept="Nothing was stored.",
            hint="Make the bucket, or correct the setting `blobs`.",
        )

    def _place(self, sha256: str) -> str:
        return f"{self._root}/{place_of(sha256)}"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Fsspec's file systems speak ``OSError``, with a number from a disk, without one from a network; botocore doesn't."""
        try:
            yield
        except OSError as error:
            raise _remote_error(error, self._name) from error
        except Exception as error:
            if not type(error).__module__.startswith(("botocore.", "aiobotocore.")):
                raise
            raise _unreachable(error, self._name) from error


_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az", "oss"})
"""Schemes whose stores show an object only when it is whole."""


def _remote_error(error: OSError, place: str) -> NoriaError:
    if isinstance(error, PermissionError):
        return InvalidInput(
            f"The blob store {place} does not let us in: {error}.",
            hint="Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do.",
        )
    if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        return disk_error(error, place)
    return _unreachable(error, place)


def _unreachable(error: Exception, place: str) -> NoriaError:
    if type(error).__name__ in {"NoCredentialsError", "PartialCredentialsError"}:
        return InvalidInput(
            f"There are no credentials for the blob store {place}.",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    return Unavailable(
        f"The blob store {place} does not answer: {error}.", hint="Try again, or check AWS_ENDPOINT_URL."
    )
