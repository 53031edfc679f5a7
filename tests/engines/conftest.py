import hashlib
import os
import tempfile
import time
from pathlib import Path

import pytest

from noria.core.errors import InvalidInput, UnknownName
from noria.engines.weights import pull


class FolderBlobs:
    """The blob store of these tests: a folder, with the promises of the protocol."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def put(self, source, *, expect=None) -> str:
        digest = hashlib.sha256()
        handle, name = tempfile.mkstemp(dir=self.folder, prefix="partial-")
        try:
            with os.fdopen(handle, "wb") as file:
                pieces = iter(lambda: source.read(1 << 20), b"") if hasattr(source, "read") else [source]
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            if expect not in {None, digest.hexdigest()}:
                raise InvalidInput(f"The bytes have the SHA-256 {digest.hexdigest()}, not {expect}; nothing is kept.")
            Path(name).replace(self.folder / digest.hexdigest())
        finally:
            Path(name).unlink(missing_ok=True)
        return digest.hexdigest()

    def open(self, sha256):
        return Path(self.path(sha256)).open("rb")

    def path(self, sha256) -> str:
        if not self.has(sha256):
            raise UnknownName(f"There is no blob {sha256}.")
        return str(self.folder / sha256)

    def has(self, sha256) -> bool:
        return (self.folder / sha256).is_file()

    def delete(self, sha256) -> None:
        (self.folder / sha256).unlink(missing_ok=True)

    def sizes(self):
        return {path.name: path.stat().st_size for path in self.folder.iterdir()}


@pytest.fixture
def blobs(tmp_path):
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
async def smollm2() -> Path:
    """The embedded model's weights, fetched once per machine."""
    cache = FolderBlobs(Path(os.environ.get("NORIA_TEST_CACHE") or Path.home() / ".cache" / "noria-tests"))
    model = await pull("smollm2-135m", blobs=cache, now=time.time_ns, progress=lambda *_: None)
    return Path(cache.path(model.sha256))
