"""OpenAI's recorded replies are what its SDK expects, say the same whole and streamed, and however a stream is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from noria.core.errors import CallCut
from noria.core.events import Event
from noria.core.folding import fold
from noria.core.requests import Request
from noria.wires.openai_chat import OpenAIChat
from noria.wires.openai_responses import OpenAIResponses
from noria.wires.wire import WireOut
from wires.recordings import features, recorded

WIRES: dict[str, tuple[WireOut, Any, Any]] = {
    "openai_chat": (OpenAIChat(), TypeAdapter(ChatCompletion), TypeAdapter(ChatCompletionChunk)),
    "openai_responses": (OpenAIResponses(), TypeAdapter(Response), TypeAdapter(ResponseStreamEvent)),
}
ALL = [(wire, feature) for wire in WIRES for feature in features(wire, "sse")]
ASK = Request(model="m")


def decoded(wire: str, *pieces: bytes) -> list[Event]:
    decoder = WIRES[wire][0].decoder(ASK)
    events: list[Event] = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


@pytest.mark.parametrize(("wire", "feature"), ALL)
def test_a_recorded_reply_is_genuine_and_says_the_same_in_both_ways(wire: str, feature: str) -> None:
    out, whole, piece = WIRES[wire]
    body, stream = recorded(f"{wire}/{feature}.json"), recorded(f"{wire}/{feature}.sse")
    whole.validate_json(body)
    for line in stream.splitlines():
        if line.startswith(b"data: {"):
            piece.validate_json(line.removeprefix(b"data: "))
    assert fold(decoded(wire, stream)) == out.decode_reply(body, ASK)


@given(st.sampled_from(ALL), st.data())
def test_a_stream_says_the_same_however_it_is_cut(which: tuple[str, str], draw: st.DataObject) -> None:
    wire, feature = which
    stream = recorded(f"{wire}/{feature}.sse")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decoded(wire, *pieces) == decoded(wire, stream)


@given(st.sampled_from(ALL), st.data())
def test_a_stream_that_breaks_off_is_cut(which: tuple[str, str], draw: st.DataObject) -> None:
    wire, feature = which
    stream = recorded(f"{wire}/{feature}.sse")
    last = stream.rindex(b"data: {") if wire == "openai_responses" else stream.index(b'"finish_reason":"')
    with pytest.raises(CallCut):
        decoded(wire, stream[: draw.draw(st.integers(0, last))])
