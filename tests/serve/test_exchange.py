"""Requests and responses on one connection, as RFC 9112 and ASGI have them, without a socket."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import Any

import httptools
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from noria.serve import connections
from noria.serve.asgi import ASGIApp, Receive, Scope, Send, read_body, respond
from noria.serve.connections import BoundedHTTP
from noria.serve.exchange import Exchange


class Client(asyncio.Transport):
    """The other end of a connection."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, interface="asgi3", proxy_headers=False)  # type: ignore[arg-type]  # ASGI's types, spelt another way
        config.load()
        self.state = ServerState()
        self.got = b""
        self.reading = True
        self.closed = False
        self.aborted = asyncio.Event()
        self.left = 0
        """Bytes that it has not taken."""
        self._server = BoundedHTTP(config, self.state, {})
        self._server.connection_made(self)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.closed:
                self._server.data_received(piece)

    def leave(self) -> None:
        self.closed = True
        self._server.connection_lost(None)

    def stop(self) -> None:
        for connection in list(self.state.connections):
            connection.shutdown()

    def read_slowly(self) -> None:
        self._server.pause_writing()

    def read_on(self) -> None:
        self._server.resume_writing()

    async def answered(self) -> bytes:
        """What came once nothing is answered any more."""
        async with asyncio.timeout(5):
            while self.state.tasks:
                await asyncio.wait(set(self.state.tasks))
        return self.got

    def write(self, data: Any) -> None:
        self.got += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True
        self.aborted.set()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.left


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells what was asked."""
    body = await read_body(receive, 10**9)
    said = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} {len(body)} ".encode() + body[:20]
    await respond(send, 200, said, "text/plain")


def bodies(got: bytes) -> list[bytes]:
    """The bodies of responses one behind the other, by another parser."""
    found: list[bytes] = []

    class Reader:
        def on_message_begin(self) -> None:
            found.append(b"")

        def on_body(self, body: bytes) -> None:
            found[-1] += body

    httptools.HttpResponseParser(Reader()).feed_data(got)
    return found


GET = b"GET /a%20b?c=d HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
ALL = GET + POST + CHUNKED + GET
ANSWERS = [b"GET /a b c=d 0 ", b"POST /p  5 hello", b"POST /c  5 hello", b"GET /a b c=d 0 "]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, len(ALL) - 1)))
def test_however_requests_are_cut_they_are_answered_in_turn(cuts: set[int]) -> None:
    async def ask() -> bytes:
        client = Client(echo)
        at = [0, *sorted(cuts), len(ALL)]
        client.send(*(ALL[start:end] for start, end in itertools.pairwise(at)))
        got = await client.answered()
        assert client.reading
        assert not client.closed
        client.leave()
        return got

    assert bodies(asyncio.run(ask())) == ANSWERS


async def asked(app: ASGIApp, *pieces: bytes) -> tuple[bytes, Client]:
    client = Client(app)
    client.send(*pieces)
    return await client.answered(), client


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_body_is_called_for_when_it_is_wanted_and_did_not_come() -> None:
    head = b"POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
    client = Client(echo)
    client.send(head)
    await turn()
    assert client.got == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"he", b"llo")
    assert (await client.answered()).count(b"HTTP/1.1 ") == 2
    got, _ = await asked(echo, head + b"hello")
    assert got.startswith(b"HTTP/1.1 200 ")
    got, client = await asked(refuse, head)
    assert got.startswith(b"HTTP/1.1 403 ")
    client.send(b"hello" + GET)  # it comes after all, and another behind it
    assert (await client.answered()).count(b"HTTP/1.1 403 ") == 2


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    await respond(send, 403, b"no", "text/plain")


@pytest.mark.parametrize(
    "request_", [GET.replace(b"1.1", b"1.0"), GET.replace(b"host", b"Connection: close\r\nHost")], ids=["1.0", "close"]
)
async def test_a_connection_ends_where_the_client_says_so(request_: bytes) -> None:
    got, client = await asked(echo, request_)
    assert b"connection: close\r\n" in got
    assert got.endswith(b"GET /a b c=d 0 ")
    assert client.closed


async def test_a_connection_ends_where_the_application_says_so() -> None:
    async def leave(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 503, b"no", "text/plain", ((b"connection", b"close"),))

    got, client = await asked(leave, GET)
    assert got.count(b"connection: close") == 1
    assert client.closed


async def test_who_still_sends_has_its_answer_before_the_connection_ends() -> None:
    """The system drops what waits for a client that goes on sending to a closed connection."""
    sent = POST.replace(b"Host", b"Connection: close\r\nHost")
    got, client = await asked(refuse, sent[:-3])
    assert got.endswith(b"no")
    assert not client.closed
    client.send(sent[-3:] + GET)
    assert client.closed
    assert await client.answered() == got


async def test_nothing_is_begun_behind_the_last_answer() -> None:
    begun: list[str] = []

    async def leave(scope: Scope, _receive: Receive, send: Send) -> None:
        begun.append(scope["path"])
        await respond(send, 503, b"no", "text/plain", ((b"connection", b"close"),))

    for sent in ((GET + POST[:-3], POST[-3:] + GET), (POST[:-3], POST[-3:] + GET)):
        client = Client(leave)
        for piece in sent:
            client.send(piece)
            got = await client.answered()
        assert got.count(b"HTTP/1.1 ") == 1
        assert client.closed
    assert begun == ["/a b", "/p"]


async def in_pieces(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Y", b"z")]})
    for piece in (b"one", b"", b"two"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def test_a_response_of_unknown_length_goes_in_chunks() -> None:
    got, client = await asked(in_pieces, GET + GET)
    assert bodies(got) == [b"onetwo", b"onetwo"]
    assert got.count(b"x-y: z\r\n") == 2
    assert not client.closed


async def test_a_head_alone_is_answered_without_a_body() -> None:
    for app in (echo, in_pieces):
        got, client = await asked(app, GET.replace(b"GET", b"HEAD"))
        assert got.startswith(b"HTTP/1.1 200 ")
        assert got.endswith(b"\r\n\r\n")
        assert got.count(b"\r\n\r\n") == 1
        assert not client.closed

    async def nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    got, _ = await asked(nothing, GET + GET)
    assert got.count(b"HTTP/1.1 204 ") == 2
    assert b"chunked" not in got


@pytest.mark.parametrize("behind", [b"", GET, ALL], ids=["nothing", "one", "several"])
async def test_another_protocol_is_not_taken_up(behind: bytes) -> None:
    """And what comes behind who asks for one is a request, whether it comes with it or later."""
    asks = [one.replace(b"ost: x", b"ost: x\r\nConnection: Upgrade\r\nUpgrade: h2c") for one in (GET, POST, CHUNKED)]
    sent = b"".join(one + behind for one in asks)
    got, client = await asked(echo, sent)
    assert not client.closed
    assert [answer for answer in bodies(got) if answer not in ANSWERS] == []
    assert len(bodies(got)) == 3 + 3 * behind.count(b"HTTP/1.1")
    assert bodies((await asked(echo, *(bytes([byte]) for byte in sent)))[0]) == bodies(got)


async def test_a_body_is_no_request_whatever_protocol_is_asked_for() -> None:
    """Else who comes by a proxy sends requests in bodies, and has the answers of others."""
    head = b"POST /p HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n"
    for sent in ([head % len(GET) + GET], [head % len(GET), GET]):
        got, _ = await asked(echo, *sent)
        assert bodies(got) == [b"POST /p  %d " % len(GET) + GET[:20]]


async def test_it_is_no_proxy() -> None:
    for target in (b"x:443", b"/"):
        got, client = await asked(echo, b"CONNECT %b HTTP/1.1\r\nHost: x\r\n\r\n" % target + GET)
        assert got.startswith(b"HTTP/1.1 400 ")
        assert got.count(b"HTTP/1.1 ") == 1
        assert client.closed


async def test_trailers_are_no_headers() -> None:
    """What a proxy takes from a request's head, and vouches for, would come back by them."""
    heads: list[list[tuple[bytes, bytes]]] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        await echo(scope, receive, send)
        heads.append(scope["headers"])

    chunked = CHUNKED.removesuffix(b"\r\n") + b"Authorization: Bearer x\r\nX-Forwarded-For: y\r\n\r\n"
    got, _ = await asked(note, chunked + GET)
    assert bodies(got) == ANSWERS[2:]
    assert heads == [[(b"host", b"x"), (b"transfer-encoding", b"chunked")], [(b"host", b"x")]]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02",
        b"GET \xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(sent: bytes) -> None:
    got, client = await asked(echo, sent)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.endswith(b"Invalid HTTP request received.")
    assert client.closed


NO_CHUNK = CHUNKED.replace(b"\r\n2\r\n", b"\r\nxx\r\n")


@pytest.mark.parametrize("bad", [b"\x16\x03\x01", b"GET \xff HTTP/1.1\r\n\r\n", NO_CHUNK])
@pytest.mark.parametrize("at_once", [False, True])
async def test_what_is_no_request_does_not_come_between_answers_to_others(bad: bytes, at_once: bool) -> None:
    sent = (GET, POST, bad) if not at_once else (GET + POST + bad,)
    got, client = await asked(in_pieces, *sent)
    assert bodies(got) == [b"onetwo", b"onetwo"]
    assert got.count(b"HTTP/1.1 ") == 2
    assert client.closed


async def test_too_large_a_head_does_not_come_between_answers_to_others() -> None:
    got, client = await asked(in_pieces, GET + GET, b"GET / HTTP/1.1\r\nX: ", b"a" * 70_000)
    assert bodies(got) == [b"onetwo", b"onetwo"]
    assert got.count(b"HTTP/1.1 ") == 2
    assert client.closed


async def test_a_body_that_breaks_off_after_its_answer_is_not_answered_again() -> None:
    got, client = await asked(refuse, NO_CHUNK[:-20])
    assert got.startswith(b"HTTP/1.1 403 ")
    client.send(NO_CHUNK[-20:])
    assert (await client.answered()).count(b"HTTP/1.1 ") == 1
    assert client.closed


async def test_a_body_that_is_none_has_one_answer() -> None:
    client = Client(echo)
    client.send(NO_CHUNK[:-20])
    await turn()
    client.send(NO_CHUNK[-20:])
    got = await client.answered()
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1 ") == 1
    assert client.closed


async def test_no_more_of_a_body_is_read_than_somebody_asks_for() -> None:
    go = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await echo(scope, receive, send)

    client = Client(late)
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"a" * 40_000)
    assert client.reading
    client.send(b"a" * 40_000)
    assert not client.reading
    go.set()
    await turn()
    assert client.reading
    client.send(b"a" * 20_000)
    assert bodies(await client.answered()) == [b"POST /  100000 " + b"a" * 20]


async def test_nothing_is_read_while_many_requests_wait_that_came() -> None:
    """Else who sends them more quickly than they are answered fills the memory."""
    reading: list[bool] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        reading.append(client.reading)
        await echo(scope, receive, send)

    for count, reads in ((connections.MAX_WAITING, True), (connections.MAX_WAITING + 5, False)):
        client = Client(look)
        client.send(GET * count)
        assert bodies(await client.answered()) == ANSWERS[:1] * count
        assert reading == [reads] * count  # else nobody would hear that the client goes away
        assert client.reading
        reading.clear()


async def split(_scope: Scope, _receive: Receive, send: Send) -> None:
    await respond(send, 200, b"", "text/plain", ((b"x", b"a\r\nset-cookie: b"),))


async def split_slowly(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\0b")]})


@pytest.mark.parametrize("app", [split, split_slowly])
async def test_no_header_makes_another(app: ASGIApp) -> None:
    got, client = await asked(app, GET)
    assert got.startswith(b"HTTP/1.1 500 ")
    assert bodies(got) == [b"Internal Server Error"]
    assert b"set-cookie" not in got
    assert client.closed


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("raises", [False, True])
async def test_a_response_that_fails_never_ends_as_if_it_were_whole(begun: bool, raises: bool) -> None:
    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
        if raises:
            raise ZeroDivisionError("secret")

    got, client = await asked(fail, GET)
    assert client.closed
    assert b"secret" not in got
    assert got.startswith(b"HTTP/1.1 200 " if begun else b"HTTP/1.1 500 ")
    assert not got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("body", [b"four", b"sixsix"])
async def test_a_response_is_as_long_as_its_head_says(body: bytes) -> None:
    async def other(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": body})

    got, client = await asked(other, GET)
    assert client.closed
    assert got.endswith(b"\r\n\r\n")


async def test_what_fails_after_its_answer_does_not_end_the_next_one() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await echo(scope, receive, send)
        if scope["method"] == "GET":
            raise ZeroDivisionError

    got, client = await asked(late, GET + POST)
    assert bodies(got) == ANSWERS[:2]
    assert not client.closed


async def test_who_takes_nothing_of_the_last_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_S", 0.02)
    client = Client(echo)
    client.left = 100  # too little for the transport to say that the client reads slowly
    client.send(GET.replace(b"1.1", b"1.0"))
    await client.answered()
    assert client.closed
    assert not client.aborted.is_set()
    client.read_on()
    await asyncio.wait_for(client.aborted.wait(), 5)
    client.leave()


async def test_a_call_goes_on_while_the_next_one_comes_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.02)
    go = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await echo(scope, receive, send)

    client = Client(late)
    client.send(GET, GET[:9])
    await asyncio.sleep(0.1)
    assert not client.closed
    go.set()
    assert bodies(await client.answered()) == ANSWERS[:1]
    await asyncio.sleep(0.1)
    assert client.closed  # it has its time once nothing else is waited for
    client.leave()


async def test_a_client_that_leaves_is_told_to_who_answers() -> None:
    told: list[str] = []

    async def listen(_scope: Scope, receive: Receive, _send: Send) -> None:
        await read_body(receive, 9)
        told.append((await receive())["type"])

    client = Client(listen)
    client.send(GET, GET)  # the second waits, and is never answered
    await turn()
    client.leave()
    await client.answered()
    assert told == ["http.disconnect"]
    assert not client.state.connections


async def test_a_server_that_stops_closes_what_is_idle_and_answers_the_rest() -> None:
    _, client = await asked(echo, GET)
    client.stop()
    assert client.closed
    client = Client(echo)
    client.send(POST[:-1])
    await turn()
    client.stop()
    assert not client.closed
    client.send(POST[-1:])
    assert b"connection: close" in await client.answered()
    assert client.closed


async def test_who_reads_slowly_is_waited_for() -> None:
    client = Client(in_pieces)
    client.read_slowly()
    client.send(GET)
    await turn()
    assert not client.got
    client.read_on()
    assert bodies(await client.answered()) == [b"onetwo"]
    client.leave()


async def test_a_connection_leaves_nothing_to_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        _, client = await asked(echo, GET, POST)
        await turn()
        client.leave()
        assert not [found for found in gc.get_objects() if isinstance(found, Exchange)]
    finally:
        gc.enable()
