"""``noria traces``: list, search, show, tail, stats, export and import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.exchange import export_traces, import_traces
from noria.cli.groups import examples, group
from noria.cli.narrowing import narrowed, narrowing
from noria.cli.replay import replay_traces
from noria.cli.spans import outcome, span_table
from noria.cli.tail import tail
from noria.cli.trace_tree import trace_tree
from noria.cli.traffic import stats
from noria.core.spans import Span
from noria.serve.shapes import OTelSpan, Trace

_AROUND = 24
"""Characters that are shown before what a search found."""


@group()
def traces() -> None:
    """The record: every call is a span, spans of one trace are a tree, scores hang on spans."""


traces.add_command(export_traces)
traces.add_command(import_traces)
traces.add_command(replay_traces)
traces.add_command(stats)
traces.add_command(tail)
_limit = click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most spans.")
_cursor = click.option("--cursor", help="Go on where an earlier list ended, which said so.")


@traces.command(
    "list",
    epilog=examples(
        "noria traces list --app triage --status error --since 24h",
        "noria traces list --score 'correct<0.5' --where 'duration_s>2'",
        "noria traces list --key support-bot --since 7d",
        "noria traces list --roots --user ada --json | jq '.[].trace_id'",
    ),
)
@_limit
@_cursor
@click.option("--roots", is_flag=True, help="Only spans without a parent: whole traces, one line each.")
@narrowing
@with_api(reads_only=True)
async def list_traces(api: Api, show: Show, limit: int, cursor: str | None, roots: bool, **given: Any) -> None:
    """List the latest calls."""
    query = narrowed(given) | ({"roots": "true"} if roots else {})
    found, following = await api.page("/api/traces", list[Span], **query, limit=limit, cursor=cursor)

    def draw(console: Console) -> None:
        if found:
            console.print(span_table(found))
        elif query or cursor:
            console.print("No calls there.")
        else:
            console.print("No calls yet. Run `noria up`, and send one to /v1/chat/completions.")

    show(found, draw)
    _tell_more(show, following)


@traces.command(
    "search", epilog=examples("noria traces search refund", "noria traces search '\"no such order\" gpt-4o' --since 7d")
)
@click.argument("words")
@_limit
@_cursor
@narrowing
@with_api(reads_only=True)
async def search(api: Api, show: Show, words: str, limit: int, cursor: str | None, **given: Any) -> None:
    """Find calls by words in their messages, documents, tools and errors, the newest first.

    All words must occur, in any order; "words in quotes" as they stand.
    """
    found, following = await api.page(
        "/api/traces", list[Span], **narrowed(given), text=words, limit=limit, cursor=cursor
    )

    def draw(console: Console) -> None:
        console.print(span_table(found, prose="found", said=_snippet(words)) if found else "No call has these words.")

    show(found, draw)
    _tell_more(show, following)


@traces.command("show")
@click.argument("trace_id")
@click.option("--otel", is_flag=True, help="Print JSON in OpenTelemetry's GenAI terms instead.")
@with_api(reads_only=True)
async def show_trace(api: Api, show: Show, trace_id: str, otel: bool) -> None:
    """Show a trace as a tree: by id or the beginning of it."""
    if otel:
        show.as_json = True
        show(await api.get(f"/api/traces/{part(trace_id)}/otel", list[OTelSpan]), lambda _: None)
        return
    found = await api.get(f"/api/traces/{part(trace_id)}", Trace)
    show(found, lambda console: console.print(trace_tree(found)))


def _tell_more(show: Show, cursor: str | None) -> None:
    if cursor:
        show.note(f"There are more: --cursor {cursor}")


def _snippet(words: str) -> Callable[[Span], str]:
    """What to show of a span: the text around the first word, wherever it stands."""
    first = next(iter(words.replace('"', " ").split()), "").lower()

    def said(span: Span) -> str:
        messages = (*span.input, *span.output)
        calls = (f"{call.name} {call.arguments}" for message in messages for call in message.tool_calls)
        thoughts = (message.reasoning for message in messages)
        documents = (document.text for document in span.documents)
        for text in (span.error_message or "", *(m.text for m in messages), *documents, *calls, *thoughts):
            at = text.lower().find(first)
            if at >= 0:
                return text if at <= _AROUND else "…" + text[at - _AROUND :]
        return outcome(span)

    return said
