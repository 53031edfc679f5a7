"""Looking up kept replies in PostgreSQL, and what becomes of a call when it does not answer."""

from __future__ import annotations

import asyncio
import socket
import time

import psycopg
import pytest

from noria.core.caching import KeptReply
from noria.core.errors import Unavailable
from noria.stores.replies import KeptReplies, there
from noria.stores.replies import postgres as module
from noria.stores.replies.line import Line, Told
from noria.stores.replies.postgres import PostgresReading


@pytest.mark.postgres
async def test_look_ups_at_once_are_asked_together(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not there(postgres_url)
    kept = KeptReplies.open(postgres_url, most_bytes=10**6, now=lambda: 1, alone=False)
    assert there(postgres_url)
    for number in range(20):
        kept.keep(KeptReply(key=f"k{number}", trace_id="t", span_id="s", kept_ns=1, ends_ns=2, pieces=()))
    kept._settle()
    assert await kept.find("k0") is not None  # now it is connected
    asked: list[int] = []
    ask = Line.ask

    def counted(self: Line, name: bytes, values: list[bytes], told: Told) -> None:
        asked.append(1 + values[0].count(b","))
        ask(self, name, values, told)

    monkeypatch.setattr(Line, "ask", counted)
    found = await asyncio.gather(*(kept.find(f"k{number % 25}") for number in range(100)))
    assert [reply and reply.key for reply in found[:25]] == [f"k{number}" for number in range(20)] + [None] * 5
    assert asked == [1, 25]
    await kept.close()


@pytest.mark.postgres
async def test_a_connection_that_broke_is_made_anew(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    reads: list[None] = []
    read = Line._read
    monkeypatch.setattr(Line, "_read", lambda line: (reads.append(None), read(line)))
    kept = KeptReplies.open(postgres_url, most_bytes=10**6, now=lambda: 1, alone=False)
    kept.keep(KeptReply(key="k", trace_id="t", span_id="s", kept_ns=1, ends_ns=2, pieces=()))
    kept._settle()
    assert await kept.find("k") is not None
    plain = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    reads.clear()
    await asyncio.sleep(0.05)
    assert 1 <= len(reads) <= 3  # nobody asks again and again for what is not there any more
    assert await kept.find("k") is None
    assert await kept.find("k") is not None
    assert kept.numbers()["noria_cache_failed_total"] == 1
    await kept.close()


async def test_a_database_that_does_not_answer_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reading = PostgresReading(f"postgresql://ada:secret@127.0.0.1:{silent.getsockname()[1]}/noria")
        begun = time.monotonic()
        for key in ("a", "b", "c"):
            with pytest.raises(Unavailable, match="Kept replies") as caught:
                await reading.body(key)
            assert "secret" not in str(caught.value)
        with pytest.raises(Unavailable, match="a moment ago"):
            await reading.newer("x", 0, 1, 10)
        assert time.monotonic() - begun < 2
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # one has tried, once
            silent.accept()
    await reading.close()
