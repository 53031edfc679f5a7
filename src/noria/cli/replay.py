"""``noria traces replay``: the record sent to another OpenTelemetry collector."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.exchange import counter, pages
from noria.cli.groups import examples
from noria.cli.times import moment
from noria.core.errors import CallRefused, Cancelled, NoriaError
from noria.core.struct import Noun

if TYPE_CHECKING:
    from noria.assemble.record.replaying import Sent


class Replayed(Noun):
    """What ``noria traces replay --json`` says."""

    url: str
    """Where the spans went."""
    spans: int
    """Spans that the collector took."""
    scores: int
    """Scores that were sent with them, as evaluation events."""
    refused: int
    """Spans that it refused for good."""
    reason: str = ""
    """Why, as it said the last time."""


@click.command(
    "replay",
    epilog=examples(
        "noria traces replay http://127.0.0.1:4318",
        "noria traces replay https://otlp.example.com --header authorization=Bearer%20KEY --app triage --since 7d",
        "noria traces replay http://127.0.0.1:4318 --progress sent.json",
    ),
)
@click.argument("collector", metavar="URL")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=VALUE", help="Sent along (OTEL_EXPORTER_OTLP_HEADERS)."
)
@click.option("--since", metavar="TIME", help="Only spans that started then or later: 2h, 7d, 2026-11-25.")
@click.option("--until", metavar="TIME", help="Only spans that started before.")
@click.option("--app", help="Only spans of this app.")
@click.option(
    "--progress",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that keeps how far it came; the same command goes on from there, also with what has come since.",
)
@with_api(reads_only=True)
async def replay_traces(
    api: Api,
    show: Show,
    collector: str,
    headers: tuple[str, ...],
    since: str | None,
    until: str | None,
    app: str | None,
    progress: Path | None,
) -> None:
    """Send the record, or a part of it, to another OpenTelemetry collector over OTLP/HTTP.

    What the collector can't take now is tried again for half a minute; spans that it refuses are counted with its reason.
    A Noria takes them in exactly as they are here, with their scores.
    """
    from noria.assemble.record.replaying import Progress, Sent, endpoint, headers_from, opened_replay  # noqa: PLC0415  # aiohttp

    url = endpoint(collector)
    given = headers_from(",".join((os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""), *headers)))
    selection = {"since_ns": moment("--since", since), "until_ns": moment("--until", until), "app": app}
    state = Progress(url=url, app=app)
    if progress is not None:
        state = await asyncio.to_thread(Progress.read, progress, url, app)
    sent = Sent()
    try:
        with counter(show, "sending") as count:
            async with opened_replay(url, given) as replay:
                async for records, cursor in pages(api, selection, state.cursor):
                    sent += await replay.send(records)
                    if progress is not None:
                        state = msgspec.structs.replace(state, cursor=cursor)
                        await asyncio.to_thread(state.write, progress)
                    count(sent.spans)
    except asyncio.CancelledError:
        raise _told(Cancelled("The replay was interrupted."), sent, progress) from None
    except NoriaError as error:
        raise _told(error, sent, progress) from error
    done = Replayed(url=url, spans=sent.spans, scores=sent.scores, refused=sent.refused, reason=sent.reason)
    show(done, lambda console: _draw(console, done))
    if done.refused:
        raise CallRefused(
            f"The collector refused {done.refused:,} spans: {done.reason or 'it did not say why.'}",
            kept=f"{done.spans:,} spans were taken.",
        )


def _told(error: NoriaError, sent: Sent, progress: Path | None) -> NoriaError:
    """``error`` with what was sent before it, and how to go on."""
    error.kept = error.kept or f"{sent.spans:,} spans had been taken before."
    if not error.hint:
        error.hint = (
            "The same command goes on from there." if progress else "With --progress FILE, a replay goes on from there."
        )
    return error


def _draw(console: Console, done: Replayed) -> None:
    console.print(f"{done.url} has taken {done.spans:,} spans with {done.scores:,} scores.")
