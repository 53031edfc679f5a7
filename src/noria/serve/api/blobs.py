"""Large contents of records, as they were sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

from litestar import Controller, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from noria.assemble import Workspace

_CHUNK = 1 << 20


class BlobsController(Controller):
    """``/api/blobs``."""

    path = "/blobs"
    tags = ("traces",)

    @get(
        "/{sha256:str}",
        media_type="application/octet-stream",
        response_headers=[
            ResponseHeader(name="content-disposition", value="attachment"),
            # Whatever a sender put into it: no browser shall run it as a page of this origin.
            ResponseHeader(name="content-security-policy", value="sandbox; default-src 'none'"),
        ],
    )
    async def show(self, workspace: NamedDependency[Workspace], sha256: FromPath[str]) -> Stream:
        """The bytes behind a blob's SHA-256, always as a download of no particular type."""
        file = await asyncio.to_thread(workspace.open_blob, sha256)
        return Stream(_pieces(file), media_type="application/octet-stream")


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _CHUNK):
            yield piece
