"""A trace as a tree in the terminal: steps under their parents, with what was said, called, found and judged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from noria.assemble.record.activity import WHOLES
from noria.cli.spans import came, one_line, used
from noria.cli.tables import dollars, seconds, short_id, tokens
from noria.cli.terminal import harmless
from noria.core.attributes import REFUSED_BY
from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.serve.shapes import Trace

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

MOST_MESSAGES = 6
"""Messages of one call that are shown; a few-shot prompt has dozens, and the last ones matter."""
_MOST_DOCUMENTS = 3
_DEEPEST = 16
"""Levels that are indented; what lies deeper stands below one another."""
_MOST_STEPS = 1000
"""Steps that are drawn; a person reads no more."""


def trace_tree(trace: Trace) -> Tree:
    """A trace as a tree: spans under their parents, scores under their spans."""
    from rich.text import Text  # noqa: PLC0415  # `--json` need not pay
    from rich.tree import Tree  # noqa: PLC0415

    root = Tree(Text(_summary(trace), "dim"))
    known = {span.span_id for span in trace.spans}
    children: dict[str | None, list[Span]] = {}
    for span in trace.spans:
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    scores: dict[str, list[Score]] = {}
    for score in trace.scores:
        scores.setdefault(score.span_id, []).append(score)
    _add_scores(root, [score for score in trace.scores if score.span_id not in known])  # on the trace, or early
    began = min((span.start_ns for span in trace.spans), default=0)
    drawn: set[str] = set()
    # A stack, not recursion: a chain of steps may be deeper than Python's own stack.
    waiting = [(root, span, Lineage(), 0) for span in reversed(children.get(None, []))]
    left_over = iter(trace.spans)  # hostile spans may call each other parent; then no root leads to them
    while len(drawn) < _MOST_STEPS:
        if not waiting:
            lost = next((span for span in left_over if span.span_id not in drawn), None)
            if lost is None:
                break
            waiting.append((root, lost, Lineage(), 0))
        branch, span, above, depth = waiting.pop()
        if span.span_id in drawn:
            continue
        drawn.add(span.span_id)
        node = branch.add(_headline(span, began, above))
        for name, text in _details(span, above):
            node.add(Text.assemble((f"{name}  ", "dim"), harmless(text)))
        _add_scores(node, scores.get(span.span_id, []))
        below = node if depth < _DEEPEST else branch
        waiting += [(below, child, span.lineage, depth + 1) for child in reversed(children.get(span.span_id, []))]
    if len(drawn) < len(known):
        root.add(Text(f"… {len(known) - len(drawn):,} more steps (--json shows all)", "dim"))
    return root


def _add_scores(branch: Tree, scores: list[Score]) -> None:
    for score in scores:
        branch.add(_score_line(score))


def _summary(trace: Trace) -> str:
    """The whole trace in one line."""
    if len(trace.spans) < 2:
        return f"trace {harmless(trace.trace_id)}"
    length = (max(span.end_ns for span in trace.spans) - min(span.start_ns for span in trace.spans)) / 1e9
    parts = [f"trace {harmless(trace.trace_id)}", f"{len(trace.spans):,} steps", seconds(length)]
    calls = [span for span in trace.spans if span.operation not in WHOLES]  # a whole repeats its parts' usage
    sent, made = _sum(span.input_tokens for span in calls), _sum(span.output_tokens for span in calls)
    cost = _sum(span.cost_usd for span in calls)
    if sent is not None or made is not None:
        parts.append(f"{tokens(int(sent or 0))} → {tokens(int(made or 0))} tokens")
    guesses = [guess for span in calls if (guess := span.estimated_tokens) is not None]
    if guesses:
        guessed = (
            f"~{tokens(sum(guess[0] for guess in guesses))} → ~{tokens(sum(guess[1] for guess in guesses))} tokens"
        )
        parts.append(f"and {guessed} of calls cut off" if sent is not None else guessed)
    if cost is not None:
        parts.append(dollars(cost))
    failed = sum(span.status == "error" and REFUSED_BY not in span.attributes for span in trace.spans)
    return "  ".join([*parts, *([f"{failed} failed"] if failed else [])])


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _headline(span: Span, began: int, above: Lineage) -> Text:
    """What ran, and its numbers; the app where the step above is not of the same."""
    from rich.text import Text  # noqa: PLC0415  # see above

    app = span.lineage.app if span.lineage.app != above.app else None
    called = harmless(f"{app} → {span.name}" if app else span.name)
    numbers = [] if span.start_ns == began else [f"at {seconds((span.start_ns - began) / 1e9)}"]
    numbers.append(seconds(span.duration_s))
    if span.ttft_s is not None or span.tpot_s is not None:
        numbers += [f"TTFT {seconds(span.ttft_s)}", f"TPOT {seconds(span.tpot_s)}"]
    counts = used(span)
    if counts or span.request_model:
        numbers.append(f"{counts or '? → ?'} tokens")
        if span.cost_usd is not None or span.operation not in WHOLES:
            numbers.append(dollars(span.cost_usd))
    if span.cached:
        numbers.append("from the cache")
    told = Text.assemble((called, "bold"), "  ", came(span), ("  " + "  ".join(numbers), "dim"))
    if not span.name.startswith(span.operation):
        told = Text.assemble((f"{one_line(span.operation, 24)}  ", "cyan"), told)
    return told


def _details(span: Span, above: Lineage) -> list[tuple[str, str]]:
    lineage = span.lineage
    ids = [
        f"{name} {short_id(id)}"
        for name, id in (("variant", lineage.variant_id), ("prompt", lineage.prompt_id), ("set-up", lineage.model_id))
        if id
    ]
    found = [("from", "  ".join(ids))] if ids else []
    new = (
        (name, id)
        for name, id in (("session", "session_id"), ("user", "user_id"))
        if getattr(lineage, id) != getattr(above, id)
    )
    people = [f"{name} {id}" for name, field in new if (id := getattr(lineage, field))]
    found += [("for", one_line("  ".join(people), 160))] if people else []
    said = [line for message in span.input for line in _said(message)]
    if len(said) > MOST_MESSAGES:
        left_out = len(said) - MOST_MESSAGES + 1
        said[2 : 2 + left_out] = [("…", f"{left_out} more messages (--json shows all)")]
    found += said
    found += [
        ("found", _passage(document.score, document.id, document.text)) for document in span.documents[:_MOST_DOCUMENTS]
    ]
    if len(span.documents) > _MOST_DOCUMENTS:
        found.append(("found", f"{len(span.documents) - _MOST_DOCUMENTS} more passages (--json shows all)"))
    found += [line for message in span.output for line in _said(message)]
    found += [
        ("event", one_line(event.name, 100)) for event in span.events[:_MOST_DOCUMENTS] if event.name != "exception"
    ]
    if span.error_message or span.error_type:
        found.append(("error", one_line(" ".join(filter(None, [span.error_type, span.error_message])), 400)))
    return found


def _said(message: Message) -> list[tuple[str, str]]:
    """A message, and the calls that it asks for."""
    lines = [("thinking", one_line(message.reasoning, 160))] if message.reasoning.strip() else []
    calls = [("calls", one_line(f"{call.name}({call.arguments})", 160)) for call in message.tool_calls]
    text = message.text.strip() or message.refusal.strip()
    if not text and not isinstance(message.content, str) and message.content:
        text = f"({', '.join(type(part).__name__.removesuffix('Part').lower() for part in message.content)})"
    if text or not (calls or lines):
        lines.append((message.role, one_line(text, 160)))
    return lines + calls


def _passage(score: float | None, id: str | None, text: str) -> str:
    told = [] if score is None else [f"{score:.3g}"]
    return "  ".join([*told, *([one_line(id, 40)] if id else []), one_line(text, 120)])


def _score_line(score: Score) -> Text:
    from rich.text import Text  # noqa: PLC0415  # see above

    where = f" ({score.monitor})" if score.monitor else ""
    by = f" by {score.source}" if score.source == "human" else ""
    colour = {True: "green", False: "red"}.get(score.value, "cyan") if isinstance(score.value, bool) else "cyan"
    value = f"{score.value:.3f}" if isinstance(score.value, float) else str(score.value).lower()
    return Text.assemble((harmless(f"{score.scorer}{where} = {value}{by}"), colour), f"  {one_line(score.reason, 120)}")
