"""A chunk that differs in its words alone from the one before it means what it would mean without that one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import CallGarbled, NoriaError
from noria.core.events import Delta, Event, Raw
from noria.targets.pieces import Pieces
from noria.wires.anthropic.stream import StreamDecoder as AnthropicDecoder
from noria.wires.mould import Mould
from noria.wires.openai_chat.stream import StreamDecoder
from noria.wires.wire import Decoder

WORDS = st.text(max_size=5) | st.sampled_from(
    [
        "a",
        "b",
        "content",
        "stop",
        'a"',
        "\\",
        "é",
        "\N{NO-BREAK SPACE}",
        "\n",
        "🙂",
        'x","role":"user',
        "\\u0061",
        "data: ",
    ]
)
LETTERS = st.sampled_from(["", "aB3", "x" * 9, "é", '"', "\\"])
ODD = st.sampled_from(
    [
        {"finish_reason": "stop"},
        {"index": 1},
        {"delta": {"role": "assistant", "content": "a"}},
        {"delta": {"content": "a", "content_filter": "a"}},
        {"delta": {"reasoning_content": "a"}},
        {"logprobs": {"content": []}},
    ]
)


def chunk(words: str, odd: dict[str, Any], letters: str | None, *, ascii: bool = False, created: int = 1) -> bytes:
    choice = {"index": 0, "delta": {"content": words}, "finish_reason": None} | odd
    body = {"id": "c", "created": created, "model": "m", "choices": [choice], "usage": None}
    padding = {} if letters is None else {"obfuscation": letters}
    text = json.dumps(body | padding, ensure_ascii=ascii, separators=(",", ":"))
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


CHUNKS = st.lists(
    st.builds(
        chunk,
        WORDS,
        st.just({}) | st.just({}) | ODD,
        st.none() | LETTERS,
        ascii=st.booleans(),
        created=st.sampled_from([1, 1, 1, 2]),
    ),
    max_size=8,
)
BEGINNING = chunk("", {"delta": {"role": "assistant", "content": ""}}, None)


def meant(chunks: list[bytes], decoder: Decoder | None = None) -> tuple[list[Event], str]:
    pieces = Pieces(decoder or StreamDecoder(), "")
    events: list[Event] = []
    try:
        for each in chunks:
            more = pieces.more_text(each)
            events += pieces.take(each) if more is None else [more]
    except NoriaError as error:
        return events, error.message
    return events, ""


def halved(chunks: list[bytes]) -> list[bytes]:
    """The same bytes, in pieces of which none is an event."""
    return [half for each in chunks for half in (each[:9], each[9:])]


@given(CHUNKS)
def test_chunks_mean_the_same_by_themselves_and_in_halves(chunks: list[bytes]) -> None:
    stream = [BEGINNING, chunk("a", {}, None), *chunks]
    assert meant(stream) == meant(halved(stream))


@given(st.binary(max_size=6) | WORDS.map(str.encode), st.booleans())
def test_any_bytes_in_the_place_of_the_words_mean_the_same_or_fail_the_same(words: bytes, padded: bool) -> None:
    letters = "xYz" if padded else None
    other = chunk("here", {}, letters).replace(b"here", words)
    stream = [BEGINNING, chunk("a", {}, letters), other]
    assert meant(stream) == meant(halved(stream))


def anthropic(type: str, spaces: int = 0, **fields: Any) -> bytes:
    body = json.dumps({"type": type, **fields}, separators=(",", ":"), ensure_ascii=False)
    text = f"event: {type}\ndata: {body[:-1]}{' ' * spaces}}}\n\n"
    return text.encode("utf-8", "surrogatepass")


def piece_of_block(kind: str, said: str, index: int, spaces: int) -> bytes:
    name = {"text_delta": "text", "thinking_delta": "thinking"}[kind]
    return anthropic("content_block_delta", spaces, index=index, delta={"type": kind, name: said})


CITATION = {"type": "char_location", "cited_text": "a", "document_index": 0, "start_char_index": 0, "end_char_index": 1}
OPENED = [
    anthropic("message_start", message={"id": "m", "model": "c", "usage": {"input_tokens": 1, "output_tokens": 1}}),
    anthropic("content_block_start", 3, index=0, content_block={"type": "text", "text": ""}),
]
PIECES = st.builds(
    piece_of_block,
    st.sampled_from(["text_delta", "text_delta", "text_delta", "thinking_delta"]),
    WORDS,
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([0, 3, 9]),
)
CITED = anthropic("content_block_delta", index=0, delta={"type": "citations_delta", "citation": CITATION})
OTHERS = st.sampled_from(
    [
        CITED,
        anthropic("content_block_stop", index=0),
        anthropic("content_block_start", index=1, content_block={"type": "text", "text": "b"}),
        anthropic("ping"),
        anthropic("message_stop"),
        piece_of_block("text_delta", "c", 0, 2).replace(b"}", b"", 1),
        piece_of_block("text_delta", "c", 0, 0).replace(b"}}", b"}"),
        piece_of_block("text_delta", "c", 0, 2).replace(b"  }", b" x}"),
    ]
)


@given(st.lists(PIECES | PIECES | OTHERS, max_size=8))
def test_pieces_of_blocks_mean_the_same_by_themselves_and_in_halves(chunks: list[bytes]) -> None:
    stream = [*OPENED, piece_of_block("text_delta", "a", 0, 2), *chunks, anthropic("content_block_stop", index=0)]
    assert meant(stream, AnthropicDecoder()) == meant(halved(stream), AnthropicDecoder())


@pytest.mark.parametrize("type", ["ping", "message_delta", "event_of_tomorrow"])
def test_events_that_hold_a_piece_of_text_and_are_none_say_nothing_however_often_they_come(type: str) -> None:
    chunks = [anthropic(type, index=0, delta={"type": "text_delta", "text": text}) for text in ("b", "c", "d")]
    events, error = meant([*OPENED, *chunks, piece_of_block("text_delta", "a", 0, 2)], AnthropicDecoder())
    assert [event for event in events if isinstance(event, Delta)] == [Delta(text="a")]
    assert not error


def test_citations_count_what_was_said_in_pieces_that_were_not_decoded() -> None:
    said = [piece_of_block("text_delta", text, 0, 2) for text in ("a", "bc", "def")]
    events, _ = meant([*OPENED, *said, CITED, anthropic("content_block_stop", index=0)], AnthropicDecoder())
    [cited] = [event for event in events if isinstance(event, Delta) and event.citations]
    assert (cited.citations[0].start, cited.citations[0].end) == (0, 6)


def test_pieces_of_blocks_that_differ_in_their_words_and_spaces_are_known_without_being_decoded() -> None:
    decoder = AnthropicDecoder()
    for each in (*OPENED, piece_of_block("text_delta", "a", 0, 2)):
        list(decoder.feed(each))
    assert decoder.more_text(piece_of_block("text_delta", "b", 0, 7)) == Delta(text="b")
    assert decoder.more_text(piece_of_block("text_delta", "c", 0, 0)) == Delta(text="c")
    assert decoder.more_text(piece_of_block("text_delta", "c", 0, 0).replace(b"}}", b"}")) is None


def test_what_differs_in_its_words_alone_is_known_without_being_decoded() -> None:
    for letters in (None, "aB3"):
        decoder = StreamDecoder()
        assert decoder.more_text(chunk("a", {}, letters)) is None
        assert list(decoder.feed(BEGINNING + chunk("a", {}, letters)))[-1] == Delta(text="a")
        assert list(decoder.feed(chunk("b", {}, letters))) == [Delta(text="b")]
        assert decoder.more_text(chunk("wörd", {}, None if letters is None else "zzzz")) == Delta(text="wörd")
        for other in (
            chunk("c", {"finish_reason": "stop"}, letters),
            chunk("c", {}, letters, created=2),
            chunk("c", {}, letters)[:-1],
            chunk("c", {}, letters) * 2,
            chunk("c", {}, None if letters else "aB3"),
            chunk("c", {}, "é"),
            chunk("", {}, letters),
            chunk('"', {}, letters),
            chunk("\n", {}, letters),
        ):
            assert decoder.more_text(other) is None


def test_a_stream_whose_chunks_are_all_different_is_soon_left_alone() -> None:
    proved: list[bytes] = []

    def means(event: bytes, words: str) -> bool:
        proved.append(event)
        return bool(words)

    mould = Mould()
    for i in range(100):
        each = chunk("a", {}, None, created=i)
        assert mould.more_text(each) is None
        mould.make(each, 0, "a", means)
    assert len(proved) < 10


def test_bytes_that_wait_for_the_rest_of_their_event_are_not_overtaken() -> None:
    pieces = Pieces(StreamDecoder(), "openai_chat")
    last = chunk("d", {}, None)
    for each in (BEGINNING, chunk("a", {}, None)):
        assert list(pieces.take(each)) != []
    assert pieces.more_text(last) == Raw(wire="openai_chat", data=last, events=(Delta(text="d"),))
    assert list(pieces.take(chunk("c", {}, None)[:20])) == []
    assert pieces.more_text(last) is None
    with pytest.raises(CallGarbled):
        list(pieces.take(last))
