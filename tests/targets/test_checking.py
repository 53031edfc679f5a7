"""Checks of schemas in threads of their own: kept ready, bounded, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from noria.core.errors import InvalidInput, Overloaded
from noria.scorers.schemas import reading
from noria.targets.checking import MOST_KEPT, Checks


class Gate:
    """A compiler whose readers wait until the test lets them go."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def compile(self, _: dict[str, Any] | None) -> Any:
        def read(text: str) -> str:
            self.open.wait(10)
            return text

        return read


async def test_hostile_checks_leave_the_threads_of_everybody_else_alone() -> None:
    gate = Gate()
    checks = Checks(gate.compile, threads=2, most_waiting=40)
    reader = await checks.reader(None)
    hostile = [asyncio.create_task(reader("x")) for _ in range(40)]
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        assert await asyncio.to_thread(lambda: "done") == "done"
    gate.open.set()
    assert await asyncio.gather(*hostile) == ["x"] * 40
    checks.close()


async def test_the_line_is_short_and_a_check_has_its_time() -> None:
    gate = Gate()
    checks = Checks(gate.compile, threads=1, most_waiting=1, longest_s=0.05)
    reader = await checks.reader(None)
    await asyncio.sleep(0)
    two = [asyncio.create_task(reader("x")) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await reader("x")
    for late in two:
        with pytest.raises(InvalidInput, match=r"within 0\.05 s"):
            await late
    with pytest.raises(Overloaded):  # a thread that nobody waits for is not free
        await reader("x")
    gate.open.set()
    async with asyncio.timeout(2):
        while True:
            await asyncio.sleep(0.01)
            try:
                assert await reader("y") == "y"
                break
            except Overloaded:
                continue
    checks.close()


async def test_a_schema_is_made_ready_once_and_few_are_kept() -> None:
    checks = Checks(reading)
    for _ in range(3):
        reader = await checks.reader({"type": "object", "required": ["a"]})
        assert await reader('{"a": 1}') == '{"a": 1}'
    assert checks.compiled == 1
    with pytest.raises(ValueError, match="required property"):
        await reader("{}")
    for number in range(MOST_KEPT + 1):
        await checks.reader({"const": number})
    await checks.reader({"type": "object", "required": ["a"]})
    assert checks.compiled == MOST_KEPT + 3, "the oldest has made room"
    checks.close()
