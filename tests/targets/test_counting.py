"""How many tokens a prompt has, where nobody counts."""

from __future__ import annotations

import pytest

from noria.core.events import Counted, Sent
from noria.core.folding import collect
from noria.core.messages import FilePart, ImagePart, Message, OtherPart, TextPart, ToolCall
from noria.core.requests import Request, Tool
from noria.targets.counting import Counting, Estimated, estimate
from noria.targets.scripted import Scripted, answer


async def test_a_question_for_a_count_never_reaches_the_model() -> None:
    model = Scripted(lambda _: answer("hi"))
    target = Counting(model, Estimated("up"))
    asked = Request(model="up/m", messages=(Message(role="user", content="x" * 400),), count=True)
    events = [event async for event in target.call(asked)]
    assert events == [
        Sent(request=asked, provider="up", streamed=False, emulated=("count_tokens",)),
        Counted(tokens=104),
    ]
    assert model.requests == []
    assert (await collect(target.call(Request(model="up/m")))).text == "hi"


@pytest.mark.parametrize(
    "more",
    [
        Message(role="user", content=(TextPart(text="more"),)),
        Message(role="user", content=(ImagePart(url="https://x/y.png"),)),
        Message(role="user", content=(FilePart(url="data:application/pdf;base64," + "A" * 400),)),
        Message(role="user", content=(OtherPart(data={"type": "novel", "text": "x" * 40}),)),
        Message(role="assistant", tool_calls=(ToolCall(id="a", name="look_up", arguments='{"q": "x"}'),)),
        Message(role="assistant", reasoning="Let me think about it."),
    ],
)
def test_everything_that_is_said_counts(more: Message) -> None:
    said = Message(role="user", content="größer")
    without = Request(model="m", messages=(said,))
    assert estimate(without) < estimate(Request(model="m", messages=(said, more)))
    assert estimate(without) < estimate(Request(model="m", messages=(said,), tools=(Tool(name="f"),)))
