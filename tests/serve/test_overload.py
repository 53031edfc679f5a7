"""Four times as many calls as can be answered, for a while: those that are taken are answered, the rest is told at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp

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
        await noria.workspace.calling.recorded.drain()
        assert numbers["noria_records_appended_total"] >= len(taken)
        [row] = (await noria.post("/api/traces/query", {"measures": [{"measure": "count", "name": "n"}]}))["rows"]
        assert row == [len(taken) + 2]  # those that were turned away cost no record
    assert len(taken) > 0.3 * PLACES * flood_s / CALL_S  # of what there are places for, on however busy a machine
    assert sorted(shed)[len(shed) // 2] < sorted(taken)[len(taken) // 2]
