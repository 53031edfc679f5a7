"""More calls than can be answered, for a while: those that are taken are answered, the rest is told at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from noria.targets import lateness
from noria.targets.scripted import answer

from .conftest import KEY, served

PLACES, LINE, CALL_S, FLOOD_S = 8, 8, 0.25, 2.0
CALLERS = 4 * (PLACES + LINE)
BODY = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}


def slow(_: dict[str, Any]) -> list[Any]:
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(CALL_S, gate.set)
    return [gate, *answer("Hel", "lo")]


async def test_a_flood_leaves_the_work_of_those_who_are_taken(tmp_path: Path) -> None:
    taken, shed = list[float](), list[float]()

    async def calls(session: aiohttp.ClientSession, end: float) -> None:
        while (began := time.monotonic()) < end:
            async with session.post("/v1/chat/completions", json=BODY) as response:
                said = await response.json()
            if response.status == 200:
                taken.append(time.monotonic() - began)
                assert said["choices"][0]["message"]["content"] == "Hello"
                continue
            shed.append(time.monotonic() - began)
            assert (response.status, said["error"]["code"]) == (503, "overloaded")
            assert response.headers["retry-after"] == "1"
            await asyncio.sleep(CALL_S)  # a caller less polite than it is asked to be

    async with served(tmp_path / "data", max_calls=PLACES, max_waiting=LINE) as noria:
        noria.upstream.script = slow
        headers = {"authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(noria.url, headers=headers) as session:
            async with session.post("/v1/chat/completions", json=BODY) as response:
                assert response.status == 200  # the first call reads price lists and the like
            began = time.monotonic()
            await asyncio.gather(*(calls(session, began + FLOOD_S) for _ in range(CALLERS)))
            flood_s = time.monotonic() - began
            async with session.post("/v1/chat/completions", json=BODY) as response:
                assert response.status == 200  # as soon as there is room
        numbers = noria.workspace.numbers()
        assert (numbers["noria_calls_running"], numbers["noria_calls_waiting"]) == (0, 0)
        assert numbers["noria_calls_shed_total"] == len(shed) > 0
        await noria.workspace.calling.together.drain()
        assert numbers["noria_records_appended_total"] >= len(taken)
        [row] = (await noria.post("/api/traces/query", {"measures": [{"measure": "count", "name": "n"}]}))["rows"]
        assert row == [len(taken) + 2]  # those that were turned away cost no record
    assert len(taken) > 0.3 * PLACES * flood_s / CALL_S  # of what there are places for, on however busy a machine
    assert sorted(shed)[len(shed) // 2] < sorted(taken)[len(taken) // 2]


async def test_a_loop_that_is_late_for_long_turns_calls_away_until_it_is_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "AVERAGED_S", 0.2)

    async def compute() -> None:
        while True:
            time.sleep(0.03)  # noqa: ASYNC251  # that is the load
            await asyncio.sleep(0)

    async with served(tmp_path / "data", max_late_ms=20) as noria:
        refused: list[httpx.Response] = []

        async def calls() -> None:
            while not refused:
                response = await noria.client.post("/v1/chat/completions", json=BODY)
                if response.status_code != 200:
                    refused.append(response)

        load = asyncio.create_task(compute())
        try:
            async with asyncio.timeout(20):
                await asyncio.gather(*(calls() for _ in range(8)))
        finally:
            load.cancel()
        response = refused[0]
        error = response.json()["error"]
        assert (response.status_code, error["code"], response.headers["retry-after"]) == (503, "overloaded", "1")
        assert "lay there" in error["message"]
        await asyncio.sleep(0.2)
        assert (await noria.client.post("/v1/chat/completions", json=BODY)).status_code == 200
        numbers = noria.workspace.numbers()
        assert numbers["noria_calls_shed_late_total"] == numbers["noria_calls_shed_total"] == len(refused)
