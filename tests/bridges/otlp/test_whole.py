"""What was moved to blobs comes back as it was."""

from __future__ import annotations

import base64
import hashlib

from bridges.records import span
from noria.bridges.otlp.large import slim
from noria.bridges.otlp.whole import missing_bytes, whole
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
    assert whole(small, blobs.get) == one
    assert whole(one, blobs.get) is one
    assert whole(small, lambda _: None) == small
