from __future__ import annotations

import gc
from contextlib import aclosing

import pytest

from noria.core.errors import CallFailed, CallTimeout, InvalidInput
from noria.targets.egress import Egress, Posting, Timeouts
from noria.targets.egress.reading import ResponseReader

from .hostile import OK, Peer, listening

WAITS = Timeouts(connect_s=2, first_byte_s=0.2, total_s=2)


async def test_a_body_with_its_headers() -> None:
    seen: list[bytes] = []

    async def answer(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.say(OK)

    async with listening(answer) as server, aclosing(Egress()) as egress:
        url = f"http://127.0.0.1:{server.port}/v1/metrics?a=b"
        there = Posting(egress, url, {"x-key": "secret"}, name="it", waits=WAITS)
        assert await there.send(b"body") == (200, b"hi")
        assert there.shown == f"http://127.0.0.1:{server.port}/v1/metrics"
    assert seen[0].startswith(b"POST /v1/metrics?a=b HTTP/1.1\r\n")
    assert b"\r\nx-key: secret\r\n" in seen[0]
    assert seen[0].endswith(b"Content-Length: 4\r\n\r\nbody")


async def test_a_response_leaves_nothing_to_the_garbage_collector() -> None:
    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)

    async with listening(answer) as server, aclosing(Egress()) as egress:
        there = Posting(egress, f"http://127.0.0.1:{server.port}/", {}, name="it", waits=WAITS)
        gc.collect()
        gc.disable()
        try:
            assert await there.send(b"body") == (200, b"hi")
            assert not [found for found in gc.get_objects() if isinstance(found, ResponseReader)]
        finally:
            gc.enable()


async def test_it_waits_no_longer_than_it_says() -> None:
    async def never(peer: Peer) -> None:
        await peer.gone()

    async with listening(never) as server, aclosing(Egress()) as egress:
        with pytest.raises(CallTimeout):
            await Posting(egress, f"http://127.0.0.1:{server.port}", {}, name="it", waits=WAITS).send(b"")


async def test_names_for_addresses_inside_need_a_word() -> None:
    async with aclosing(Egress()) as egress:
        there = Posting(egress, "http://169.254.169.254/", {}, name="it", waits=WAITS)
        with pytest.raises(CallFailed, match="may not be called"):
            await there.send(b"")


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "http://u:p@a/", "http://a b/", "http://a:99999/", "x"])
async def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InvalidInput):
        Posting(Egress(), url, {}, name="it", waits=WAITS)


@pytest.mark.parametrize("header", [{"a b": "c"}, {"a": "b\r\nc: d"}])
async def test_headers_that_are_none(header: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        Posting(Egress(), "http://a/", header, name="it", waits=WAITS)
