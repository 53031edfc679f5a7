"""What was moved to blobs comes back as it was."""

from __future__ import annotations

import base64
import hashlib

from bridges.records import span
from noria.bridges.otlp.large import slim
from noria.bridges.otlp.whole import MOST, missing_bytes, whole
from noria.core.messages import ImagePart, Message, TextPart, ToolCall
from noria.core.spans import Document, SpanEvent

LARGE = "wörd " * 2000
IMAGE = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 20).decode()


def test_there_and_back() -> None:
    blobs: dict[str, bytes] = {}

    def put(content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        blobs[name] = content
        return name

    one = span(
        1,
        input=(
            Message(role="user", content=LARGE),
            Message(role="user", content=(TextPart(text="see"), ImagePart(url=IMAGE), TextPart(text=LARGE))),
        ),
        output=(Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments=LARGE),)),),
        variables={"page": LARGE, "small": {"blob": 1, "bytes": 2, "preview": ""}},
        documents=(Document(id="d", text=LARGE, metadata={"place": "here"}), Document(text="small")),
        events=(SpanEvent(name="e", time_ns=1, attributes={"body": LARGE}),),
        attributes={"note": LARGE, "n": 1},
    )
    small = slim(one, put, 4096)
    assert small is not None
    assert missing_bytes(small) > 40_000
    assert missing_bytes(one) == 0

    def get(name: str, size: int) -> bytes:
        assert len(blobs[name]) == size
        return blobs[name]

    assert whole(small, get) == one
    assert whole(one, get) is one
    assert whole(small, lambda *_: None) == small


def test_references_that_a_sender_made_up_bring_no_more_than_a_bound_into_memory() -> None:
    asked: list[int] = []

    def get(_name: str, size: int) -> bytes:
        asked.append(size)
        return b""

    names = range(1000)
    made_up = {f"a{n}": {"blob": "ab" * 32, "bytes": MOST // 4, "preview": ""} for n in names}
    negative = {f"b{n}": {"blob": "ab" * 32, "bytes": -MOST, "preview": ""} for n in names}
    one = span(1, attributes=made_up | negative)
    assert missing_bytes(one) == 1000 * (MOST // 4)
    whole(one, get)
    assert asked == [MOST // 4] * 4
