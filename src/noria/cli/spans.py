"""Spans as lines: in a table, or one at a time as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from noria.cli.tables import Table, coloured, dollars, seconds, table, tokens, when
from noria.cli.terminal import harmless
from noria.core.attributes import REFUSED_BY
from noria.core.spans import Span

if TYPE_CHECKING:
    from rich.text import Text

_COLOURS = {"ok": "green", "error": "red", "cancelled": "yellow"}


def span_table(spans: Sequence[Span], *, prose: str = "answer", said: Callable[[Span], str] | None = None) -> Table:
    """A table of spans; its last column is what ``said`` makes of each, by default the answer or the error."""
    rows = [
        (
            when(span.start_ns),
            span.trace_id[:12],
            (span.lineage.app if span.operation == "chat" else None) or span.name,
            span.request_model or span.response_model or "",
            coloured(*came(span)),
            seconds(span.ttft_s),
            seconds(span.duration_s),
            used(span),
            "" if span.cost_usd is None else dollars(span.cost_usd),
            one_line((said or outcome)(span)),
        )
        for span in spans
    ]
    headers = ("time", "trace", "call", "model", "status", "TTFT", "latency", "tokens", "cost", prose)
    return table(
        *headers,
        rows=rows,
        right=("TTFT", "latency", "tokens", "cost"),
        prose=[prose, "call"],
        spare=("model", "cost", "TTFT", "tokens", "latency", "time"),
        hide_empty=("model", "cost", "TTFT", "tokens"),
    )


def span_line(span: Span) -> Text:
    """One span, as it arrives."""
    from rich.text import Text  # noqa: PLC0415  # `--json` need not pay

    numbers = [seconds(span.duration_s)]
    if counts := used(span):
        numbers.append(counts)
    if span.cost_usd is not None:
        numbers.append(dollars(span.cost_usd))
    return Text.assemble(
        (when(span.start_ns), "dim"),
        "  ",
        (harmless(span.trace_id[:12]), "dim"),
        "  ",
        came(span),
        "  ",
        (one_line(f"{span.lineage.app} → {span.name}" if span.lineage.app else span.name), "bold"),
        ("  " + "  ".join(numbers) + "  ", "dim"),
        one_line(outcome(span), 80),
    )


def came(span: Span) -> tuple[str, str]:
    """How a span ended, and the colour of it; nobody failed at a call that was refused."""
    return ("refused", "yellow") if REFUSED_BY in span.attributes else (span.status, _COLOURS[span.status])


def outcome(span: Span) -> str:
    """What came of a span, for people: the answer, the calls it asks for, the passages it found, or the error."""
    if span.status != "ok":
        return span.error_message or span.error_type or ""
    if span.output_text.strip():
        return span.output_text
    calls = [call.name for message in span.output for call in message.tool_calls]
    if calls:
        return f"calls {', '.join(calls)}"
    return f"found {len(span.documents)} passages" if span.documents else ""


def one_line(text: str, width: int = 60) -> str:
    """One printable line: traces are hostile text, and a terminal obeys control characters."""
    flat = " ".join("".join(c if c.isprintable() or c.isspace() else "·" for c in text[: 20 * width]).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def used(span: Span) -> str:
    """Tokens in and out, with ``~`` where nobody but Noria counted; empty where nobody did."""
    if (guess := span.estimated_tokens) is not None:
        return f"~{tokens(guess[0])} → ~{tokens(guess[1])}"
    counted = span.input_tokens is not None or span.output_tokens is not None
    return f"{tokens(span.input_tokens)} → {tokens(span.output_tokens)}" if counted else ""
