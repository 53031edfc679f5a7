"""Records for the trace tests: plain ones by number, and strange ones drawn by Hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from noria.core.messages import ImagePart, Message, OtherPart, TextPart, ToolCall
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span

NOON = 1_795_435_200 * 10**9  # 2026-11-23T12:00:00Z
SECOND = 10**9


def span(number: int, **changes: Any) -> Span:
    fields: dict[str, Any] = {
        "trace_id": f"{number // 10:032x}",
        "span_id": f"{number:016x}",
        "name": f"chat {number}",
        "start_ns": NOON + number * SECOND,
        "end_ns": NOON + number * SECOND + SECOND // 2,
    }
    return Span(**(fields | changes))


def score(number: int, value: bool | float | str = True, **changes: Any) -> Score:
    fields: dict[str, Any] = {
        "scorer": "exact",
        "version": "1",
        "value": value,
        "trace_id": f"{number // 10:032x}",
        "span_id": f"{number:016x}",
        "time_ns": NOON + number * SECOND,
    }
    return Score(**(fields | changes))


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
strange = st.sampled_from(["", "\0", "a\0b", "null", "\u2028", "😀", "\\", '"', "e\u0301", "1", "true", "{}"])
texts = text | strange
maybe_text = st.none() | texts
counts = st.none() | st.integers(0, 2**63 - 1)
floats = st.none() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=4)
parts = (
    st.builds(TextPart, text=texts)
    | st.builds(ImagePart, url=texts, detail=maybe_text)
    | st.builds(OtherPart, data=objects)
)
messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        content=texts | st.lists(parts, min_size=1, max_size=2).map(tuple),
        name=maybe_text,
        tool_calls=st.lists(st.builds(ToolCall, id=texts, name=texts, arguments=texts), max_size=2).map(tuple),
        reasoning=texts,
    ),
    max_size=2,
).map(tuple)
moments = st.integers(0, 2**63 - 1)
lineages = st.builds(Lineage, app=maybe_text, case_id=maybe_text, repeat=counts, session_id=maybe_text, user_id=texts)
spans = st.builds(
    Span,
    trace_id=texts,
    span_id=texts,
    parent_id=maybe_text,
    name=texts,
    operation=texts,
    start_ns=moments,
    end_ns=moments,
    status=st.sampled_from(["ok", "error", "cancelled"]),
    error_message=maybe_text,
    params=objects,
    input=messages,
    output=messages,
    finish_reasons=st.lists(texts, max_size=2).map(tuple),
    variables=objects,
    input_tokens=counts,
    ttft_s=floats,
    cost_usd=floats,
    cached=st.booleans(),
    lineage=lineages,
    attributes=objects,
)
scores = st.builds(
    Score,
    scorer=texts,
    version=texts,
    value=st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    reason=texts,
    source=st.sampled_from(["code", "model", "human"]),
    cost_usd=floats,
    metadata=objects,
    trace_id=texts,
    span_id=texts,
    time_ns=moments,
    repeat=counts,
    monitor=maybe_text,
)
