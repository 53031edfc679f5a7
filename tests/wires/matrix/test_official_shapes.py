"""Whatever a provider said, each client gets what its own SDK's models know, strictly: no word that is none of theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from noria.core.errors import CallFailed
from noria.core.events import Content
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.unfolding import events_of
from wires.matrix.seen import BASE, FROM, INS, OUTS, RECORDED, read, stream_of
from wires.recordings import features, recorded

SHAPES: dict[str, tuple[TypeAdapter[Any], TypeAdapter[Any]]] = {
    "openai_chat": (TypeAdapter(ChatCompletion), TypeAdapter(ChatCompletionChunk)),
    "openai_responses": (TypeAdapter(Response), TypeAdapter(ResponseStreamEvent)),
    "anthropic": (TypeAdapter(Message), TypeAdapter(RawMessageStreamEvent)),
    "google": (TypeAdapter(GenerateContentResponse), TypeAdapter(GenerateContentResponse)),
}
"""What the official client makes of a reply, and of a piece of one."""
ASK = Request(model="m")


def replies(out: str) -> Iterator[tuple[Reply, list[Content]]]:
    """All that a provider has said on record: whole, and as a stream where it streams."""
    folder, suffix = RECORDED[out]
    for feature in features(folder, "json"):
        try:
            reply = OUTS[out].decode_reply(recorded(f"{folder}/{feature}.json"), ASK)
        except CallFailed:
            continue
        if not reply.choices:
            continue
        streamed = suffix and feature in features(folder, suffix)
        data = stream_of(folder, feature, suffix) if streamed else b""
        yield reply, list(OUTS[out].decoder(ASK).feed(data) if streamed else events_of(reply))


@pytest.mark.parametrize("wire", INS)
@pytest.mark.parametrize("out", FROM)
def test_replies_are_in_the_official_shape(out: str, wire: str) -> None:
    whole, piece = SHAPES[wire]
    for reply, events in replies(out):
        asks = BASE[wire] | ({"stream": True} if wire != "google" else {})
        whole.validate_json(read(wire, BASE[wire])[1].whole(reply), strict=True)
        _, answer = read(wire, asks, stream=True)
        stream = b"".join(map(answer.encode, events)) + answer.finish()
        for line in stream.splitlines():
            if line.startswith(b"data: {"):
                piece.validate_json(line.removeprefix(b"data: "), strict=True)


def test_what_a_client_has_no_word_for_stands_beside_the_nearest() -> None:
    paused = OUTS["Anthropic"].decode_reply(recorded("anthropic/pause_turn.json"), ASK)
    [choice] = written("openai_chat", paused)["choices"]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "pause_turn")
    response = written("openai_responses", paused)
    assert response["status"] == "incomplete"
    assert [part["data"]["type"] for part in response["other_parts"]] == ["server_tool_use"]
    malformed = OUTS["Google"].decode_reply(recorded("google/malformed.json"), ASK)
    assert written("anthropic", malformed)["stop_reason"] == "max_tokens"
    cited = OUTS["Anthropic"].decode_reply(recorded("anthropic/cited_order.json"), ASK)
    [annotation] = written("openai_responses", cited)["output"][2]["content"][0]["annotations"]
    assert (annotation["type"], annotation["filename"]) == ("file_citation", "Example")
    assert (annotation["start_index"], annotation["end_index"]) == (12, 30)


def written(wire: str, reply: Reply) -> Any:
    """A reply as a client of the wire gets it."""
    return json.loads(read(wire, BASE[wire])[1].whole(reply))
