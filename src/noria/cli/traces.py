"""``noria traces``: list and show, a trace as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.exchange import export_traces, import_traces
from noria.cli.groups import group
from noria.cli.tables import coloured, dollars, seconds, short_id, table, tokens, when
from noria.cli.terminal import harmless
from noria.core.scores import Score
from noria.core.spans import Span
from noria.serve.shapes import OTelSpan, Trace

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

_MOST_MESSAGES = 6
"""Messages of one call that are shown; a few-shot prompt has dozens, and the last ones matter."""
_COLOURS = {"ok": "green", "error": "red", "cancelled": "yellow"}


@group()
def traces() -> None:
    """The record: every call is a span, spans of one trace are a tree, scores hang on spans."""


traces.add_command(export_traces)
traces.add_command(import_traces)


@traces.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most spans.")
@click.option("--app", help="Only calls of this app.")
@with_api(reads_only=True)
async def list_traces(api: Api, show: Show, limit: int, app: str | None) -> None:
    """List the latest calls."""
    found = await api.get("/api/traces", list[Span], limit=limit, app=app)

    def draw(console: Console) -> None:
        if not found:
            console.print("No calls yet. Run `noria up`, and send one to /v1/chat/completions.")
            return
        rows = [
            (
                when(span.start_ns),
                span.trace_id[:12],
                span.lineage.app or span.name,
                coloured(span.status, _COLOURS[span.status]),
                seconds(span.ttft_s),
                seconds(span.duration_s),
                f"{tokens(span.input_tokens)} → {tokens(span.output_tokens)}",
                _line(span.output_text if span.status == "ok" else span.error_message or ""),
            )
            for span in found
        ]
        headers = ("time", "trace", "call", "status", "TTFT", "latency", "tokens", "answer")
        right, spare = ("TTFT", "latency", "tokens"), ("TTFT", "tokens", "latency", "time")
        console.print(table(*headers, rows=rows, right=right, prose=["answer", "call"], spare=spare))

    show(found, draw)


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


def trace_tree(trace: Trace) -> Tree:
    """A trace as a tree: spans under their parents, scores under their spans."""
    from rich.text import Text  # noqa: PLC0415  # `--json` need not pay
    from rich.tree import Tree  # noqa: PLC0415

    root = Tree(Text(f"trace {trace.trace_id}", "dim"))
    known = {span.span_id for span in trace.spans}
    children: dict[str | None, list[Span]] = {}
    for span in trace.spans:
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    scores: dict[str, list[Score]] = {}
    for score in trace.scores:
        scores.setdefault(score.span_id, []).append(score)

    def grow(branch: Tree, span: Span, seen: frozenset[str]) -> None:
        node = branch.add(_headline(span))
        for name, text in _details(span):
            node.add(Text.assemble((f"{name}  ", "dim"), harmless(text)))
        for score in scores.get(span.span_id, []):
            node.add(_score_line(score))
        for child in children.get(span.span_id, []):
            if child.span_id not in seen:  # hostile spans may call each other parent
                grow(node, child, seen | {child.span_id})

    for span in children.get(None, []):
        grow(root, span, frozenset({span.span_id}))
    return root


def _headline(span: Span) -> Text:
    from rich.text import Text  # noqa: PLC0415  # see above

    called = harmless(f"{span.lineage.app} → {span.name}" if span.lineage.app else span.name)
    numbers = (
        f"  {seconds(span.duration_s)}  TTFT {seconds(span.ttft_s)}  TPOT {seconds(span.tpot_s)}  "
        f"{tokens(span.input_tokens)} → {tokens(span.output_tokens)} tokens  {dollars(span.cost_usd)}"
    )
    return Text.assemble((called, "bold"), "  ", (span.status, _COLOURS[span.status]), (numbers, "dim"))


def _details(span: Span) -> list[tuple[str, str]]:
    lineage = span.lineage
    ids = [
        f"{name} {short_id(id)}"
        for name, id in (("variant", lineage.variant_id), ("prompt", lineage.prompt_id), ("set-up", lineage.model_id))
        if id
    ]
    found = [("from", "  ".join(ids))] if ids else []
    said: list[tuple[str, str]] = [(message.role, _line(message.text, 160)) for message in span.input]
    if len(said) > _MOST_MESSAGES:
        left_out = len(said) - _MOST_MESSAGES + 1
        said[2 : 2 + left_out] = [("…", f"{left_out} more messages (--json shows all)")]
    found += said
    found += [(message.role, _line(message.text, 160)) for message in span.output]
    if span.error_message:
        found.append(("error", span.error_message))
    return found


def _score_line(score: Score) -> Text:
    from rich.text import Text  # noqa: PLC0415  # see above

    where = f" ({score.monitor})" if score.monitor else ""
    colour = {True: "green", False: "red"}.get(score.value, "cyan") if isinstance(score.value, bool) else "cyan"
    value = f"{score.value:.3f}" if isinstance(score.value, float) else str(score.value).lower()
    return Text.assemble((harmless(f"{score.scorer}{where} = {value}"), colour), f"  {_line(score.reason, 120)}")


def _line(text: str, width: int = 60) -> str:
    """One printable line: traces are hostile text, and a terminal obeys control characters."""
    flat = " ".join("".join(c if c.isprintable() or c.isspace() else "·" for c in text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
