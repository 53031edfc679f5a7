"""``noria backup`` and ``noria restore``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from noria.cli.api import Api, actor
from noria.cli.command import Console, Show, need_folder, run, with_api
from noria.cli.download import download
from noria.cli.groups import examples
from noria.cli.tables import megabytes, when
from noria.core.backups import Manifest
from noria.core.errors import Conflict, InvalidInput, StorageFull
from noria.settings import load_settings


@click.command(
    epilog=examples(
        "noria backup monday.tar", "noria backup small.tar --no-weights", "noria backup --verify monday.tar"
    )
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--weights/--no-weights", default=True, help="Put the weights of local models in it (the default).")
@click.option("--with-key", is_flag=True, help="Put the admin key in it, so that a restored server takes the same one.")
@click.option("--verify", is_flag=True, help="Make none; check every byte of this one.")
@with_api(reads_only=True)
async def backup(api: Api, show: Show, file: Path, weights: bool, with_key: bool, verify: bool) -> None:
    """Write everything into one file, while a server runs: record, catalogue, audit log, large contents, weights.

    Everything acknowledged before the command is in it. It has its name only when it is whole and was checked.
    """
    from noria.assemble.restore import check_backup  # noqa: PLC0415  # not needed for --help

    if verify:
        manifest = await asyncio.to_thread(check_backup, file)
        show(manifest, lambda console: _draw(console, f"{file} is whole", manifest))
        return
    need_folder(api)
    _refuse_existing(file)
    query = {"name": file.name, "weights": str(weights).lower(), "key": str(with_key).lower()}
    partial = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    try:
        with _new(partial) as out, _progress(show, "backing up") as tell:
            written = 0

            def sink(piece: bytes) -> None:
                nonlocal written
                _write(out, piece, file)
                written += len(piece)
                tell(written, None)

            await download(api, "/api/backup", query, {"noria-actor": actor()}, sink)
            out.flush()
            os.fsync(out.fileno())
        manifest = await asyncio.to_thread(check_backup, partial)
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    show(manifest, lambda console: _draw(console, f"{file} is written and checked", manifest))


@click.command(epilog=examples("noria restore monday.tar --data /srv/noria"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--data", metavar="DIR", help="Folder to restore into, empty or not there (NORIA_DATA; by default .noria)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def restore(file: Path, data: str | None, as_json: bool) -> None:
    """Restore a backup into a new data folder: checked first, and whole or not at all."""

    async def work() -> int:
        from noria.assemble.restore import restore as put_back  # noqa: PLC0415  # after the arguments were checked
        from noria.cli.logs import configure_logging  # noqa: PLC0415

        show = Show(as_json=as_json)
        settings = load_settings(os.environ, Path.cwd(), {"data": data})
        configure_logging("warning")
        with _progress(show, "restoring") as tell:
            manifest = await put_back(
                file, settings, by=actor(), progress=lambda what, done, total: tell(done, total, what)
            )
        show(manifest, lambda console: _draw(console, f"Restored into {settings.folder}", manifest))
        return 0

    run(work, as_json=as_json)


def _draw(console: Console, head: str, manifest: Manifest) -> None:
    size = sum(file.bytes for file in manifest.files.values())
    console.print(
        f"{head}: {manifest.spans:,} spans, {manifest.scores:,} scores, {manifest.blobs:,} blobs, {megabytes(size)},"
        f" as of {when(manifest.created_ns)}."
    )
    if not manifest.weights:
        console.print("Weights of local models are not in it: pull them again.")
    if not manifest.key:
        console.print("The admin key is not in it: a restored folder makes a new one.")
    if manifest.damaged:
        console.print(f"Damaged already when it was made, so not in it: {', '.join(manifest.damaged)}")


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise Conflict(f"{file} is there already.", kept="It was left as it is.", hint="Choose another name.")


def _new(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise InvalidInput(f"Can't write {path.parent}: {error.strerror}.") from error


def _write(out: IO[bytes], piece: bytes, file: Path) -> None:
    try:
        out.write(piece)
    except OSError as error:
        raise StorageFull(
            f"{file} can't be written: {error.strerror}.", kept="No half backup is left.", hint="Free some space."
        ) from error


@contextlib.contextmanager
def _progress(show: Show, what: str) -> Iterator[Any]:
    """A bar where somebody watches; a function to move it."""
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415  # not needed for --json

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"))
    with show.console.bar(*columns, hidden=show.as_json) as bar:
        task = bar.add_task(what, total=None)

        def tell(done: int, total: int | None, saying: str = what) -> None:
            bar.update(task, completed=done, total=total, description=saying)

        yield tell
