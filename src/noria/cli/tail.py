"""``noria traces tail``: spans as they arrive at a running server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import click
import msgspec

from noria.cli.api import Api
from noria.cli.command import Show, with_api
from noria.cli.groups import examples
from noria.cli.narrowing import narrowed, narrowing
from noria.cli.spans import span_line
from noria.cli.terminal import json_text, silence_stdout
from noria.core.errors import Unavailable
from noria.core.spans import Span
from noria.core.struct import spelt_out

_TRIES = 30
"""Times in a row that a lost server is tried again, a second apart."""


class Event(NamedTuple):
    """A Server-Sent Event."""

    name: str
    data: str
    id: str
    """Where to go on, as far as is known."""


async def events_of(lines: AsyncIterator[str], id: str) -> AsyncIterator[Event]:
    """Server-Sent Events of a stream's lines (WHATWG HTML, section 9.2.6); one without data only carries an id."""
    name, data = "message", list[str]()
    async for line in lines:
        if not line:
            yield Event(name, "\n".join(data), id)
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            id = value


@click.command(
    "tail",
    epilog=examples(
        "noria traces tail --app triage", "noria traces tail --status error", "noria traces tail --json | jq .name"
    ),
)
@click.option("--text", metavar="WORDS", help="Only spans that have all these words.")
@narrowing
@with_api(reads_only=True)
async def tail(api: Api, show: Show, text: str | None, **given: Any) -> None:
    """Watch calls as they are recorded, until Ctrl-C. With --json each is one line of JSON."""
    if not api.server_url:
        raise Unavailable(
            "Nothing arrives where no server runs.", hint="Start one with `noria up`, or name one with --url."
        )
    query = narrowed(given) | ({"text": text} if text else {})
    show.note("Watching. Ctrl-C ends it.")
    cursor, lost = "", 0
    while True:
        try:
            async for event in events_of(api.lines("/api/traces/tail", **query, cursor=cursor or None), cursor):
                cursor, lost = event.id, 0
                if event.name == "span":
                    _show_span(show, msgspec.json.decode(event.data, type=Span))
        except BrokenPipeError:  # whoever read has seen enough
            silence_stdout()
            return
        except Unavailable as error:
            if lost == _TRIES or (not cursor and not lost):  # never heard of, or gone for long
                raise
            if not lost:
                show.note(f"{error.message} Trying again.")
        lost += 1
        await asyncio.sleep(1.0)


def _show_span(show: Show, span: Span) -> None:
    if show.as_json:
        click.echo(json_text(spelt_out(span)))
    else:
        show.console.print(span_line(span))
    sys.stdout.flush()
