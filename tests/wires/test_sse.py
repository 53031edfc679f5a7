"""Server-sent events, after the examples of the standard and of the web platform tests."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.wires.sse import EventParser, ServerSentEvent, Whole, encode_event, single_events


def parsed(*chunks: bytes) -> list[ServerSentEvent]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def data(*chunks: bytes) -> list[bytes]:
    return [event.data for event in parsed(*chunks)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\rdata: b\n\r\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: not a byte order mark\n\n", [b"a"]),
        (b": comment\n\n:\n\ndata: a\n: another\n\n", [b"a"]),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"]),
        (b"data:test\n\ndata:  test\n\n", [b"test", b" test"]),
        (b"id: 7\nretry: 10\n\ndata: a\n\n", [b"a"]),
        (b"unknown: x\ndata: a\n\n", [b"a"]),
        (b"data: unfinished", []),
        (b"data: unfinished\n", []),
    ],
)
def test_framing(stream: bytes, expected: list[bytes]) -> None:
    assert data(stream) == expected


def test_event_type_lasts_for_one_event() -> None:
    assert parsed(b"event: error\ndata: a\n\nevent: lost\n\ndata: b\n\n") == [("error", b"a"), ("message", b"b")]


def test_an_event_comes_out_with_its_last_byte() -> None:
    assert data(b"data: a\r", b"\r") == [b"a"]
    assert data(b"data: a\r", b"\n", b"\r") == [b"a"]
    assert data(b"data: a\r", b"\n", b"\r", b"\n", b"data: b\n\n") == [b"a", b"b"]


def test_malformed_text_is_left_to_the_reader() -> None:
    assert data(b"data: \xe2\x82\n\n") == [b"\xe2\x82"]


pieces = st.sampled_from(
    [
        b"data: ",
        b"data",
        b":",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        "héé€😀".encode(),
        b"\xef\xbb\xbf",
        b"event: x",
        b"\xff",
        b": c",
    ]
)


@given(st.lists(pieces, max_size=30).map(b"".join), st.data())
def test_the_same_events_for_every_split(stream: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parsed(*chunks) == parsed(stream)
    assert parsed(*(stream[i : i + 1] for i in range(len(stream)))) == parsed(stream)


@given(st.lists(st.binary(min_size=1).filter(lambda b: not set(b) & {10, 13}), min_size=1))
def test_encoded_events_come_back(payloads: list[bytes]) -> None:
    assert data(b"".join(encode_event(p) for p in payloads)) == payloads


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_single_events_are_the_same_bytes(end: bytes) -> None:
    data = b"event: a" + end[: len(end) // 2] + b"data: 1" + end + b"data: 2" + end
    events = list(single_events(data))
    assert len(events) == 2
    assert b"".join(events) == data


@given(st.lists(pieces, max_size=30).map(b"".join), st.data())
def test_whole_events_are_cut_at_the_same_places_for_every_split(stream: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    whole, waiting = Whole(), b""
    for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        waiting += stream[a:b]
        ends = [waiting.rfind(mark) + len(mark) for mark in (b"\n\n", b"\r\n\r\n", b"\r\r") if mark in waiting]
        end = max(ends, default=0)
        assert whole.feed(stream[a:b]) == waiting[:end]
        waiting = waiting[end:]


def test_an_event_without_end_costs_no_more_the_longer_it_gets() -> None:
    def seconds(pieces: int) -> float:
        whole, start = Whole(), time.process_time()
        for _ in range(pieces):
            whole.feed(b"a" * 1460)
        return time.process_time() - start

    assert seconds(4000) < 1.0  # it took a minute when what had come was looked through with every piece
