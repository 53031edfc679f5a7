import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.citing import together
from noria.core.events import (
    Delta,
    Event,
    OnRecord,
    Raw,
    Sent,
    Started,
    Stopped,
    ThoughtDelta,
    ToolCallDelta,
    Used,
)
from noria.core.folding import Fold, collect, fold
from noria.core.messages import Citation, Message, TextPart, Thought, ToolCall, parted
from noria.core.replies import Choice, Reply, Usage
from noria.core.requests import Request
from noria.core.unfolding import events_of

texts = st.text(max_size=20)
calls = st.lists(st.builds(ToolCall, id=texts, name=texts, arguments=texts), max_size=3).map(tuple)
messages = st.builds(
    Message, role=st.just("assistant"), content=texts, tool_calls=calls, reasoning=texts, refusal=texts
)
choices = st.builds(Choice, message=messages, finish_reason=st.sampled_from(["stop", "length", "tool_calls"]))
replies = st.builds(
    Reply,
    id=texts,
    model=texts,
    choices=st.lists(choices, min_size=1, max_size=3).map(tuple),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0), output_tokens=st.integers(0)),
)


@given(replies)
def test_a_reply_is_the_fold_of_its_events(reply: Reply) -> None:
    assert fold(events_of(reply)) == reply


@st.composite
def ordered(draw: st.DrawFn) -> Message:
    """Texts with citations among tool calls and sealed thinking."""
    pieces: list[TextPart | ToolCall] = []
    for i, text in enumerate(draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4))):
        places = st.lists(st.integers(0, len(text) - 1), max_size=2)
        cited = tuple(Citation(url=f"u{i}", start=start, end=len(text)) for start in draw(places))
        cited += tuple(Citation(url=f"v{i}") for _ in range(draw(st.integers(0, 1))))
        pieces += (TextPart(text=text, citations=cited), ToolCall(id=str(i), name="f", arguments="{}"))
    content, calls = parted(pieces[: len(pieces) - draw(st.integers(0, 1))])
    at = draw(st.integers(0, len(pieces) // 2)) * 2  # before a text, which it does not part in two
    thoughts = (Thought(text="hm", signature="s", at=at),) if draw(st.booleans()) and at < len(pieces) - 1 else ()
    return Message(
        role="assistant", content=content, tool_calls=calls, thoughts=thoughts, reasoning="hm" if thoughts else ""
    )


@given(ordered())
def test_texts_with_citations_keep_their_place(message: Message) -> None:
    events = list(events_of(Reply(choices=(Choice(message=message, finish_reason="stop"),))))
    folded = fold(events).choices[0].message
    plain = all(not part.citations for part in message.content if isinstance(part, TextPart))
    assert folded.pieces == message.pieces if not plain else folded.text == message.text
    assert folded.thoughts == message.thoughts
    late = [event for event in events if not isinstance(event, Delta)]
    said = [event for event in events if isinstance(event, Delta)]
    cited = [Delta(citations=tuple(c for c in event.citations if c.start is not None)) for event in said]
    bare = [msgspec.structs.replace(event, citations=()) for event in said]
    again = fold([*bare, *cited, *late]).choices[0].message  # as Google says them, behind everything
    assert [c for c in together(again) if c.start is not None] == [c for c in together(message) if c.start is not None]


def test_thinking_between_two_texts_stays_between_them() -> None:
    block = ThoughtDelta(index=0, signature="s")
    message = (
        fold([Delta(text="a"), Delta(reasoning="hm", thought=block), Delta(text="b"), Stopped()]).choices[0].message
    )
    assert message.content == (TextPart(text="a"), TextPart(text="b"))
    assert [thought.at for thought in message.thoughts] == [1]


@given(texts, st.data())
def test_how_a_text_is_cut_into_deltas_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert fold([*(Delta(text=p) for p in pieces), Stopped()]).text == text


def test_interleaved_tool_calls_and_choices() -> None:
    events: list[Event] = [
        Sent(request=Request(model="m"), provider="p"),
        Started(id="r1", model="m"),
        Delta(index=1, text="two"),
        Delta(tool_calls=(ToolCallDelta(index=0, id="a", name="f", arguments='{"x"'),)),
        Delta(tool_calls=(ToolCallDelta(index=1, id="b", name="g"),)),
        Delta(tool_calls=(ToolCallDelta(index=0, arguments=":1}"),)),
        Stopped(index=1, reason="stop"),
        Stopped(index=0, reason="tool_calls"),
        Used(usage=Usage(input_tokens=3, output_tokens=5)),
    ]
    reply = fold(events)
    assert reply.choices[0].message.tool_calls == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments=""),
    )
    assert reply.choices[1].message.text == "two"
    assert reply.complete


def test_a_cut_reply_keeps_what_came_and_is_not_complete() -> None:
    state = Fold()
    state.take(Delta(text="half an"))
    assert state.reply().text == "half an"
    assert not state.reply().complete


def test_logprobs_of_deltas_are_joined() -> None:
    reply = fold([Delta(text="a", logprobs={"content": [1]}), Delta(text="b", logprobs={"content": [2]}), Stopped()])
    assert reply.choices[0].logprobs == {"content": [1, 2]}


async def test_collect_raises_what_the_stream_raises() -> None:
    async def broken():
        yield Delta(text="a")
        raise ValueError("cut")

    with pytest.raises(ValueError, match="cut"):
        await collect(broken())


def test_an_empty_reply_has_no_text_and_is_not_complete() -> None:
    assert fold([]) == Reply()
    assert Reply().text == ""
    assert not Reply().complete


def test_a_whole_reply_in_raw_bytes_is_kept_as_it_is_and_folds_with_what_comes_behind_it() -> None:
    reply = Reply(id="a", choices=(Choice(message=Message(role="assistant", content="hi"), finish_reason="stop"),))
    raw = Raw(wire="w", data=b"{}", events=tuple(events_of(reply)), whole=reply)
    sent = Sent(request=Request(model="m"), provider="p")
    assert fold([sent, raw, OnRecord(trace_id="1", span_id="2")]) is reply
    assert fold([raw, Delta(text="!")]) == fold([*raw.events, Delta(text="!")])
    assert fold([Delta(text="!"), raw]) == fold([Delta(text="!"), *raw.events])
    assert fold([raw, raw]) == fold([*raw.events, *raw.events])
