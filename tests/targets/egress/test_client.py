"""The client against servers that misbehave, each on a real socket."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import ssl
import zlib
from pathlib import Path

import pytest

from noria.core.errors import CallCut, CallFailed, CallTimeout
from noria.targets.egress import Callee, Egress, Origin, Response, Timeouts
from noria.targets.egress.connection import HIGH

from .hostile import OK, Peer, Server, listening

ASK = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nhi?"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WAITS = Timeouts(connect_s=2, first_byte_s=2, idle_s=2, total_s=4)


async def ask(egress: Egress, server: Server, waits: Timeouts = WAITS, *, kept: bool = True) -> Response:
    origin = Origin(False, "127.0.0.1", server.port, kept=kept)
    return await egress.post(origin, ASK, waits=waits, callee=Callee("provider `p`", "http://h/v1"))


async def body(response: Response) -> bytes:
    found = b""
    try:
        while piece := await response.read():
            found += piece
    finally:
        response.close()
    return found


async def answers(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.say(OK)


async def test_one_connection_serves_call_after_call(egress: Egress) -> None:
    async with listening(answers) as server:
        for _ in range(5):
            assert await body(await ask(egress, server)) == b"hi"
        assert len(server.peers) == 1
        replies = await asyncio.gather(*(ask(egress, server) for _ in range(3)))
        assert len(server.peers) == 3
        assert [await body(reply) for reply in replies] == [b"hi"] * 3


async def test_closing_twice_does_not_end_the_call_that_has_the_connection_now(egress: Egress) -> None:
    async with listening(answers) as server:
        first = await ask(egress, server)
        await body(first)
        second = await ask(egress, server)
        first.close()
        assert await body(second) == b"hi"
        assert len(server.peers) == 1


@pytest.mark.parametrize("cut", [1, 2, 7])
async def test_a_response_in_pieces_of_any_size(egress: Egress, cut: int) -> None:
    wire = STREAM + b"5\r\nhello\r\n3;x=y\r\n, w\r\n4\r\norld\r\n0\r\nT: x\r\n\r\n"

    async def dribbles(peer: Peer) -> None:
        await peer.request()
        for at in range(0, len(wire), cut):
            await peer.say(wire[at : at + cut])
            await asyncio.sleep(0)
        await peer.gone()

    async with listening(dribbles) as server:
        assert await body(await ask(egress, server)) == b"hello, world"


async def test_every_truncation_is_a_failure_and_never_an_end(egress: Egress) -> None:
    for wire in (STREAM + b"5\r\nhello\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"):
        place = 0

        async def truncates(peer: Peer) -> None:
            await peer.request()
            await peer.say(wire[:place])  # noqa: B023  # this round's

        async with listening(truncates) as server:
            for place in range(len(wire)):
                with pytest.raises(CallFailed) as raised:
                    await body(await ask(egress, server))
                assert raised.value.retryable
                assert ("without an answer" in str(raised.value)) is (place < wire.index(b"\r\n\r\n") + 4)
            place = len(wire)
            assert await body(await ask(egress, server)) == b"hello"


@pytest.mark.parametrize("piece", [b"first", b"later"])
async def test_a_time_out_of_whoever_reads_is_not_the_server_s(egress: Egress, piece: bytes) -> None:
    async def says_two(peer: Peer) -> None:
        await peer.request()
        await peer.say(STREAM + b"5\r\nfirst\r\n")
        await asyncio.sleep(0.02)
        await peer.say(b"5\r\nlater\r\n")
        await peer.gone()

    def takes(data: bytes) -> None:
        if data == piece:
            raise TimeoutError("a defect")

    async with listening(says_two) as server:
        response = await ask(egress, server)
        with pytest.raises(TimeoutError, match="a defect"):
            await response.hand_on(takes, lambda: False)
        response.close()


async def test_a_reset_in_the_middle_is_a_cut(egress: Egress) -> None:
    async def resets(peer: Peer) -> None:
        await peer.request()
        await peer.say(STREAM + b"5\r\nhello\r\n")
        await asyncio.sleep(0.02)
        peer.reset()

    async with listening(resets) as server:
        response = await ask(egress, server)
        assert await response.read() == b"hello"
        with pytest.raises(CallCut):
            await response.read()
        response.close()


async def test_garbage_in_the_middle_is_a_cut(egress: Egress) -> None:
    async def garbles(peer: Peer) -> None:
        await peer.request()
        await peer.say(STREAM + b"5\r\nhello\r\n")
        await asyncio.sleep(0.02)
        await peer.say(b"no length\r\n")
        await peer.gone()

    async with listening(garbles) as server:
        with pytest.raises(CallCut, match="no HTTP"):
            await body(await ask(egress, server))


async def test_a_body_that_ends_with_its_connection(egress: Egress) -> None:
    async def closes(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with listening(closes) as server:
        assert await body(await ask(egress, server)) == b"hello"
        assert await body(await ask(egress, server)) == b"hello"
        assert len(server.peers) == 2


async def test_an_answer_that_comes_before_the_request_has_gone(egress: Egress) -> None:
    async def refuses(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        await asyncio.sleep(0.2)

    async with listening(refuses) as server:
        origin = Origin(False, "127.0.0.1", server.port)
        large = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000
        response = await egress.post(origin, large, waits=WAITS, callee=Callee("provider `p`", "http://h/v1"))
        assert (response.status, await body(response)) == (413, b"no!")
        await server.ended()  # the connection is not kept: half of a request is on it


# -- kept connections


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_that_is_closed_as_it_is_used_costs_nobody_an_answer(egress: Egress, end: str) -> None:
    """The race that every kept connection has: the server closes it while the next request is on its way."""

    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.request()
        if peer.number == 1:
            if end == "reset":
                peer.reset()
            return
        await peer.say(OK)
        await peer.gone()

    async with listening(once) as server:
        assert [await body(await ask(egress, server)) for _ in range(3)] == [b"hi"] * 3
        assert len(server.peers) == 2


async def test_a_new_connection_that_ends_without_an_answer_is_not_tried_again(egress: Egress) -> None:
    async def hangs_up(peer: Peer) -> None:
        await peer.request()

    async with listening(hangs_up) as server:
        with pytest.raises(CallFailed, match="closed the connection without an answer"):
            await ask(egress, server)
        assert len(server.peers) == 1


async def test_a_kept_connection_that_began_to_answer_is_not_tried_again(egress: Egress) -> None:
    async def begins(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.request()
        await peer.say(b"HTTP/1.1 2")

    async with listening(begins) as server:
        await body(await ask(egress, server))
        with pytest.raises(CallFailed, match="without an answer"):
            await ask(egress, server)
        assert len(server.peers) == 1


async def test_nobody_reads_what_was_said_before_it_was_asked(egress: Egress) -> None:
    """A second response behind the first would be taken for the next call's answer."""

    async def stuffs(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK + OK.replace(b"hi", b"no"))
        await peer.gone()

    async def stuffs_later(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await asyncio.sleep(0.02)
        await peer.say(OK.replace(b"hi", b"no"))
        await peer.gone()

    for act in (stuffs, stuffs_later):
        async with listening(act) as server:
            assert await body(await ask(egress, server)) == b"hi"
            await asyncio.sleep(0.06)
            assert await body(await ask(egress, server)) == b"hi"
            assert len(server.peers) == 2


async def test_connections_that_nobody_uses_are_ended() -> None:
    egress = Egress(kept_s=0.05)
    async with listening(answers) as server:
        await body(await ask(egress, server))
        await server.ended()
        await body(await ask(egress, server))
        assert len(server.peers) == 2
        await egress.aclose()


async def test_a_server_that_says_how_long_it_waits_is_believed(egress: Egress) -> None:
    async def hurried(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1, max=5\r\n\r\n"))
        await peer.gone()

    async with listening(hurried) as server:
        await body(await ask(egress, server))
        await body(await ask(egress, server))
        assert len(server.peers) == 2


async def test_a_connection_that_is_not_to_be_kept_is_not(egress: Egress) -> None:
    async with listening(answers) as server:
        for _ in range(2):
            await body(await ask(egress, server, kept=False))
        assert len(server.peers) == 2


# -- time and room


async def test_time_before_the_head_runs_out(egress: Egress) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n")
        await peer.gone()

    async with listening(silent) as server:
        with pytest.raises(CallTimeout, match="did not begin to answer in time"):
            await ask(egress, server, Timeouts(first_byte_s=0.05))
        await server.ended()


async def test_a_head_that_drips_does_not_outlast_its_time(egress: Egress) -> None:
    async def drips(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.say(b"X: y\r\n")
            await asyncio.sleep(0.01)

    async with listening(drips) as server:
        with pytest.raises(CallTimeout):
            await ask(egress, server, Timeouts(first_byte_s=0.1))


@pytest.mark.parametrize(("waits", "pieces"), [(Timeouts(first_byte_s=0.05), 0), (Timeouts(idle_s=0.05), 2)])
async def test_time_for_the_next_piece_runs_out(egress: Egress, waits: Timeouts, pieces: int) -> None:
    async def stalls(peer: Peer) -> None:
        await peer.request()
        await peer.say(STREAM)
        for _ in range(pieces):
            await peer.say(b"2\r\nhi\r\n")
            await asyncio.sleep(0.03)
        await peer.gone()

    async with listening(stalls) as server:
        with pytest.raises(CallTimeout, match="in the middle of" if pieces else "before its reply began"):
            await body(await ask(egress, server, waits))


async def test_a_drip_that_never_stops_ends_with_the_time_of_the_call(egress: Egress) -> None:
    async def drips(peer: Peer) -> None:
        await peer.request()
        await peer.say(STREAM)
        while True:
            await peer.say(b"1\r\nx\r\n")
            await asyncio.sleep(0.01)

    async with listening(drips) as server:
        with pytest.raises(CallTimeout):
            await body(await ask(egress, server, Timeouts(total_s=0.15)))


async def test_pauses_of_the_reader_are_no_pauses_of_the_server(egress: Egress) -> None:
    async def talks(peer: Peer) -> None:
        await peer.request()
        await peer.say(STREAM + b"2\r\nhi\r\n")
        await asyncio.sleep(0.05)
        await peer.say(b"1\r\n!\r\n0\r\n\r\n")
        await peer.gone()

    async with listening(talks) as server:
        response = await ask(egress, server, Timeouts(idle_s=0.1))
        assert await response.read() == b"hi"
        await asyncio.sleep(0.3)
        assert await body(response) == b"!"


async def test_a_server_is_kept_waiting_by_a_slow_reader(egress: Egress) -> None:
    sent = 0

    async def floods(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(STREAM)
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        while True:
            await peer.say(piece)
            sent += 65536

    async with listening(floods) as server:
        response = await ask(egress, server)
        await response.read()
        await asyncio.sleep(0.3)
        paused_at = sent
        await asyncio.sleep(0.1)
        assert sent == paused_at  # what the buffers of both systems and one of ours hold, and no more
        held = len(await response.read())
        assert held <= 2 * HIGH
        for _ in range(40):
            assert await response.read()
        assert sent > paused_at
        response.close()


async def test_who_goes_away_ends_the_call_at_once(egress: Egress) -> None:
    async def waits(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.say(STREAM + b"2\r\nhi\r\n")
        await peer.gone()

    async with listening(waits) as server:
        response = await ask(egress, server)
        await response.read()
        response.close()
        task = asyncio.create_task(ask(egress, server))
        await asyncio.sleep(0.05)
        task.cancel()
        await server.ended(2)
        with pytest.raises(asyncio.CancelledError):
            await task


# -- bodies that come compressed


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_a_compressed_body_is_unpacked(egress: Egress, encoding: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding]
    packed = pack(b"hello" * 1000)

    async def packs(peer: Peer) -> None:
        await peer.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (
            encoding.encode(),
            len(packed),
        )
        await peer.say(head + packed[:20])
        await asyncio.sleep(0.01)
        await peer.say(packed[20:])
        await peer.gone()

    async with listening(packs) as server:
        assert await body(await ask(egress, server)) == b"hello" * 1000


@pytest.mark.parametrize(
    ("encoding", "packed", "said"),
    [
        ("gzip", b"no gzip at all", "can't be unpacked"),
        ("gzip", gzip.compress(b"hello" * 1000)[:-10], "in the middle of"),
        ("br", b"whatever", "not asked for"),
    ],
    ids=["no gzip", "half of it", "brotli"],
)
async def test_what_cannot_be_unpacked_is_a_failure(egress: Egress, encoding: str, packed: bytes, said: str) -> None:
    async def packs(peer: Peer) -> None:
        await peer.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (
            encoding.encode(),
            len(packed),
        )
        await peer.say(head + packed)
        await peer.gone()

    async with listening(packs) as server:
        with pytest.raises(CallFailed, match=said):
            await body(await ask(egress, server))


async def test_a_bomb_comes_in_bounded_pieces(egress: Egress) -> None:
    bomb = gzip.compress(bytes(30_000_000))

    async def packs(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
        await peer.gone()

    async with listening(packs) as server:
        response = await ask(egress, server)
        assert len(await response.read()) <= HIGH
        response.close()


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography import x509  # noqa: PLC0415  # one test's own
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


async def test_a_certificate_is_checked_with_the_name_that_was_called(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def post(egress: Egress, host: str, server: Server) -> bytes:
        origin = Origin(True, host, server.port, private=True)
        return await body(await egress.post(origin, ASK, waits=WAITS, callee=Callee("provider `p`", "https://h/v1")))

    async with listening(answers, context) as server:
        unknown = Egress()
        with pytest.raises(CallFailed, match="No trusted TLS connection to provider `p`") as raised:
            await post(unknown, "localhost", server)
        assert not raised.value.retryable
        await unknown.aclose()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        known = Egress()
        assert [await post(known, "localhost", server) for _ in range(2)] == [b"hi"] * 2
        with pytest.raises(CallFailed, match="No trusted TLS connection"):
            await post(known, "127.0.0.1", server)
        await known.aclose()


async def test_closing_the_client_ends_every_connection() -> None:
    egress = Egress()
    async with listening(answers) as server:
        await body(await ask(egress, server))
        await ask(egress, server)
        await egress.aclose()
        await server.ended()
