"""One response, cut anywhere: the same head and body come out, and nothing that is no HTTP gets through."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.targets.egress.reading import MAX_HEAD, BadResponse, ResponseReader

BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def read(wire: bytes, cuts: list[int], *, ends: bool = False) -> tuple[ResponseReader, bytes]:
    reader, body = ResponseReader(), b""
    places = sorted({cut % (len(wire) + 1) for cut in cuts} | {0, len(wire)})
    for start, end in itertools.pairwise(places):
        reader.feed(wire[start:end])
        body += reader.take()
    if ends:
        reader.end()
    return reader, body


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"


@given(BODIES, st.lists(st.integers(0, 2000), max_size=12), st.integers(0, 2))
def test_every_framing_in_every_piece(pieces: list[bytes], cuts: list[int], interim: int) -> None:
    body = b"".join(pieces)
    before = b"HTTP/1.1 100 Continue\r\n\r\n" * interim
    head = before + b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Twice: 1\r\nx-twice: 2\r\n"
    for framed, ends in (
        (b"Content-Length: %d\r\n\r\n%b" % (len(body), body), False),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(pieces), False),
        (b"\r\n" + body, True),
    ):
        reader, found = read(head + framed, cuts, ends=ends)
        assert (reader.complete, reader.status, found) == (True, 200, body)
        assert reader.reusable is not ends
        assert reader.headers["x-twice"] == "1, 2"
        assert "trailer" not in reader.headers


@given(st.integers(1, 200))
def test_no_part_of_a_response_is_a_whole_one(missing: int) -> None:
    for framed in (
        b"Content-Length: 40\r\n\r\n" + b"x" * 40,
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked([b"x" * 40]),
    ):
        wire = b"HTTP/1.1 200 OK\r\n" + framed
        reader, _ = read(wire[: max(0, len(wire) - missing)], [], ends=True)
        assert not reader.complete
        assert not reader.reusable


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_whatever_comes_the_reader_knows_one_error(wire: bytes, cuts: list[int]) -> None:
    try:
        reader, _ = read(wire, cuts, ends=True)
    except BadResponse:
        return
    assert not reader.reusable


@pytest.mark.parametrize(
    "wire",
    [
        b"220 smtp ready\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_two_programs_could_read_in_two_ways_is_refused(wire: bytes) -> None:
    with pytest.raises(BadResponse):
        ResponseReader().feed(wire)


@pytest.mark.parametrize(
    "flood",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"y" * 1000) * 100,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 20_000,
    ],
    ids=["headers", "interim responses", "trailers"],
)
def test_a_head_without_end_is_refused_while_it_is_small(flood: bytes) -> None:
    with pytest.raises(BadResponse):
        read(flood[: MAX_HEAD + 2000], list(range(0, len(flood), 1000)))


def test_a_connection_with_more_on_it_than_was_asked_for_is_used_up() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    for more in (whole, b"garbage"):
        reader, body = read(whole + more, [])
        assert (body, reader.complete, reader.reusable) == (b"hi", True, False)


def test_who_says_close_is_believed() -> None:
    reader, _ = read(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", [])
    assert reader.complete
    assert not reader.reusable
