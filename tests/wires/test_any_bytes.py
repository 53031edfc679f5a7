"""Any value anywhere in a body: every codec reads it or refuses it. ``tests/fuzz/wires.py`` goes on from here for longer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from wires.any_bytes import ASKED, INS, OUTS, TALKING, answered, called
from wires.matrix.asked import FEATURES
from wires.recordings import features, recorded

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "role", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
BODIES = [body for feature in FEATURES for body in feature.bodies.values()] + [
    {"input": ["a"], "query": "q", "documents": ["a"], "content": {"parts": [{"text": "a"}]}, "requests": [{}]},
    {"generateContentRequest": {"contents": [{"parts": [{"text": "a"}]}]}},
]
FOLDERS = ("openai_chat", "openai_responses", "anthropic", "google", "cohere", "bedrock", "tgi")
REPLIES = [
    f"{folder}/{name}.{ending}" for folder in FOLDERS for ending in ("json", "sse") for name in features(folder, ending)
]
"""What may be wrong in them is what a fuzzer makes of them."""


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything within."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, one in inner for path in places(one, (*at, key)))]


def with_another(value: Any, at: tuple[Any, ...], other: Any) -> Any:
    """The value with something else in one place."""
    if not at:
        return other
    key, *rest = at
    if isinstance(value, dict):
        return value | {key: with_another(value[key], tuple(rest), other)}
    return [with_another(one, tuple(rest), other) if i == key else one for i, one in enumerate(value)]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(INS) - 1), st.integers(0, len(OUTS) - 1), st.sampled_from(BODIES), st.data())
def test_a_caller_may_send_anything(came: int, goes: int, body: dict[str, Any], draw: st.DataObject) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [], "input": "a", "contents": []} | body
    wrong = with_another(body, draw.draw(st.sampled_from(places(body))), draw.draw(VALUES))
    called(came, goes, json.dumps(wrong).encode())


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, len(OUTS) - 1),
    st.integers(0, len(ASKED) - 1),
    st.integers(0, TALKING - 1),
    st.sampled_from(REPLIES),
    st.data(),
)
def test_a_provider_may_send_anything(out: int, asked: int, caller: int, name: str, draw: st.DataObject) -> None:
    said = recorded(name)
    start = draw.draw(st.integers(0, len(said)))
    end = draw.draw(st.integers(start, min(len(said), start + 40)))
    answered(out, asked, caller, said[:start] + draw.draw(st.binary(max_size=6)) + said[end:])
