"""A workspace, opened for as long as it is worked with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping

from noria.assemble.opened import Opened, is_shared, open_folder, open_shared
from noria.assemble.starts import note_key
from noria.assemble.workers.following import following
from noria.assemble.workspace import Workspace
from noria.settings import Settings
from noria.targets.egress import Egress


@contextlib.asynccontextmanager
async def open_workspace(
    settings: Settings, environ: Mapping[str, str], *, holder: str, read_again: Callable[[], Settings] | None = None
) -> AsyncIterator[Workspace]:
    """Open the data folder and everything on it; close it all at the end.

    Files that the process makes meanwhile, databases with their logs among them, are the user's alone (umask 077),
    also where the folder was there before and others may look into it.

    Arguments:
        settings: the configuration.
        environ: where providers' keys and ``NORIA_API_KEY`` are.
        holder: what to tell others who want the folder, such as ``noria up``.
        read_again: reads the settings when a reload is asked for.

    Raises:
        Conflict: another process holds the folder.
        InvalidInput: it is of a newer version, or can't be used.
        Unavailable: the catalogue's database does not answer.
    """
    opening = open_folder(settings, environ, holder=holder)
    async with _workspace(settings, environ, opening, read_again) as workspace, contextlib.AsyncExitStack() as stack:
        if is_shared(settings.catalogue):  # the other servers on it change keys, limits and releases
            await stack.enter_async_context(following(workspace.catalogue))
        yield workspace


@contextlib.asynccontextmanager
async def open_shared_workspace(
    settings: Settings, environ: Mapping[str, str], *, read_again: Callable[[], Settings] | None = None
) -> AsyncIterator[Workspace]:
    """A workspace on stores that several processes share, see :func:`noria.assemble.opened.open_shared`."""
    async with (
        _workspace(settings, environ, open_shared(settings, environ), read_again) as workspace,
        following(workspace.catalogue),
    ):
        yield workspace


@contextlib.asynccontextmanager
async def _workspace(
    settings: Settings,
    environ: Mapping[str, str],
    opening: contextlib.AbstractAsyncContextManager[Opened],
    read_again: Callable[[], Settings] | None,
) -> AsyncIterator[Workspace]:
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        opened = await stack.enter_async_context(opening)
        if not opened.key_given:
            note_key(opened.catalogue.audit, opened.key.reveal())
        egress = await stack.enter_async_context(contextlib.aclosing(Egress()))
        workspace = Workspace(settings, environ, opened, egress=egress, read_again=read_again)
        stack.push_async_callback(workspace.close)
        await workspace.laboratory.recover()
        yield workspace
