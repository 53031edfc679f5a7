"""Spans and scores that a store can keep, drawn by Hypothesis: every field, odd texts, odd JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from noria.core.messages import BlobPart, ImagePart, Message, OtherPart, TextPart, ToolCall
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Document, Span, SpanEvent

NOON = 1_795_435_200 * 10**9


def span(number: int, **changes: Any) -> Span:
    """A plain span; ten of them are a trace."""
    fields: dict[str, Any] = {
        "trace_id": f"{number // 10 + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "parent_id": f"{number // 10 * 10 + 1:016x}" if number % 10 else None,
        "name": f"chat {number}",
        "start_ns": NOON + number * 10**9,
        "end_ns": NOON + number * 10**9 + 5 * 10**8,
        "lineage": Lineage(app="even" if number % 2 == 0 else "odd"),
    }
    return Span(**(fields | changes))


def score(number: int, value: Any = True, **changes: Any) -> Score:
    """A score on the span of this number."""
    fields: dict[str, Any] = {
        "scorer": "exact",
        "version": "1",
        "value": value,
        "trace_id": f"{number // 10 + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "time_ns": NOON + number * 10**9,
    }
    return Score(**(fields | changes))


hexes = st.sampled_from("0123456789abcdef")
trace_ids = st.integers(1, 2**128 - 1).map(lambda n: f"{n:032x}")
span_ids = st.integers(1, 2**64 - 1).map(lambda n: f"{n:016x}")
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
strange = st.sampled_from(["", "\0", "a\0b", "null", "\u2028", "😀", "\\", '"', "é", "1", "true", "{}", "[]", "a\r\nb"])
texts = text | strange
maybe_text = st.none() | texts
counts = st.none() | st.integers(0, 2**63 - 1)
floats = st.none() | st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=4)
parts = (
    st.builds(TextPart, text=texts)
    | st.builds(ImagePart, url=texts, detail=maybe_text)
    | st.builds(OtherPart, data=objects)
    | st.builds(BlobPart, sha256=texts, bytes=st.integers(0, 2**40), preview=texts)
)
messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        content=texts | st.lists(parts, min_size=1, max_size=2).map(tuple),
        name=maybe_text,
        tool_calls=st.lists(st.builds(ToolCall, id=texts, name=texts, arguments=texts), max_size=2).map(tuple),
        tool_call_id=maybe_text,
        reasoning=texts,
        refusal=texts,
    ),
    max_size=2,
).map(tuple)
documents = st.builds(Document, id=maybe_text, text=texts, score=floats, metadata=objects)
events = st.builds(SpanEvent, name=texts, time_ns=st.integers(0, 2**63 - 1), attributes=objects)
params = st.dictionaries(
    st.sampled_from(["temperature", "top_p", "max_tokens", "stop", "seed", "presence_penalty", "extra"]) | texts,
    json_values,
    max_size=4,
)
lineages = st.builds(
    Lineage,
    **{name: counts if name == "repeat" else maybe_text for name in Lineage.__struct_fields__},
)
moments = st.integers(946_684_800 * 10**9, 1_893_456_000 * 10**9)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start = draw(moments)
    return Span(
        trace_id=draw(trace_ids),
        span_id=draw(span_ids),
        parent_id=draw(st.none() | span_ids),
        name=draw(texts),
        operation=draw(st.sampled_from(["chat", "embeddings", "execute_tool", "invoke_agent", "retrieval"]) | texts),
        start_ns=start,
        end_ns=start + draw(st.integers(0, 10**12)),
        status=draw(st.sampled_from(["ok", "error", "cancelled"])),
        error_type=draw(maybe_text),
        error_message=draw(maybe_text),
        provider=draw(maybe_text),
        request_model=draw(maybe_text),
        response_model=draw(maybe_text),
        params=draw(params),
        input=draw(messages),
        output=draw(messages),
        finish_reasons=tuple(draw(st.lists(texts, max_size=2))),
        variables=draw(objects),
        tool_name=draw(maybe_text),
        documents=tuple(draw(st.lists(documents, max_size=2))),
        events=tuple(draw(st.lists(events, max_size=2))),
        input_tokens=draw(counts),
        output_tokens=draw(counts),
        cached_tokens=draw(counts),
        reasoning_tokens=draw(counts),
        ttft_s=draw(floats),
        tpot_s=draw(floats),
        cost_usd=draw(floats),
        request_id=draw(maybe_text),
        cached=draw(st.booleans()),
        lineage=draw(lineages),
        attributes=draw(objects),
    )


scores = st.builds(
    Score,
    scorer=text.filter(bool),
    version=texts,
    value=st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    reason=texts,
    source=st.sampled_from(["code", "model", "human"]),
    cost_usd=floats,
    metadata=objects,
    time_ns=st.integers(0, 2**63 - 1),
    repeat=counts,
    monitor=maybe_text,
)
"""Scores on nothing yet."""
