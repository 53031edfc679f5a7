"""Guards from the settings, as callers see them: errors in their wire, and no clean end of what was stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from guards.conftest import registered
from noria.core.caching import CachePolicy
from noria.core.guards import Checked, Flaw, GuardRule
from noria.core.messages import Message
from noria.core.requests import Request
from noria.serve.app import Application
from noria.settings import Provider
from noria.targets.scripted import answer
from targets import upstream

from .conftest import KEY, Noria, opened
from .test_limits import key

__all__ = ["registered"]

NAMES = {"pattern": "l+o", "meaning": "a greeting", "instead": "-", "reach": 4}


@asynccontextmanager
async def serving(folder: Path, rule: GuardRule, **more: Any) -> AsyncIterator[Noria]:
    async with opened(folder, guards=(rule,), **more) as (workspace, access, provider, clock):
        transport = httpx.ASGITransport(Application(workspace, access))
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7700", headers=headers) as client:
            yield Noria(workspace, access, client, provider, clock)


async def ask(noria: Noria, text: str, *, stream: bool, model: str = "up/m") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    return await noria.client.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_is_stopped_with_an_error(tmp_path: Path, stream: bool) -> None:
    rule = GuardRule(kind="regex", on=("up/*",), places=("input",), options=NAMES)
    async with serving(tmp_path / "data", rule, aliases={"mini": "up/m"}) as noria:
        assert (await ask(noria, "hallo", stream=stream, model="mini")).status_code == 400
        refused = await ask(noria, "hallo", stream=stream)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "blocked")
        assert "It holds a greeting." in refused.text
        assert noria.upstream.bodies == []
        _, span = await noria.spans()
        assert (span["status"], span["attributes"]["noria.guards"][0]["action"]) == ("error", "blocked")
        assert (refused.headers["noria-attempts"], span["attributes"]["noria.refused_by"]) == ("0", "guard")


async def test_a_stream_that_is_stopped_has_no_clean_end(tmp_path: Path) -> None:
    rule = GuardRule(kind="regex", places=("output",), options=NAMES)
    async with serving(tmp_path / "data", rule) as noria:
        first, *rest = answer("Hel", "lo")
        pause = asyncio.Event()
        noria.upstream.script = lambda _: [first, rest[0], pause, *rest[1:]]
        asyncio.get_running_loop().call_later(0.3, pause.set)
        answered = await ask(noria, "hi", stream=True)
        assert answered.status_code == 200
        assert "It holds a greeting." in answered.text
        assert "[DONE]" not in answered.text
        assert '"finish_reason":"stop"' not in answered.text


@pytest.mark.parametrize("stream", [False, True])
async def test_todays_guards_check_yesterdays_replies(tmp_path: Path, stream: bool) -> None:
    rule = GuardRule(kind="regex", places=("stream",), policy="redact", options=NAMES)
    async with serving(tmp_path / "data", rule, caches={"*": CachePolicy()}) as noria:
        for outcome in ("miss", "hit"):
            told = await ask(noria, "hi", stream=stream)
            assert told.headers["noria-cache"] == outcome
            assert "He-" in told.text.replace('"}', "").replace("\n", "") or '"content":"-"' in told.text
            assert '"lo"' not in told.text
        before, after = await noria.spans()
        assert before["output"][0]["content"] == after["output"][0]["content"] == "He-"


async def test_a_guard_on_a_variant_is_in_force_for_whoever_gets_it(tmp_path: Path) -> None:
    rule = GuardRule(kind="regex", on=("triage@careful",), places=("input",), options=NAMES)
    async with serving(tmp_path / "data", rule) as noria:
        await noria.post("/api/apps", {"name": "triage"})
        for name, seed in (("careful", 1), ("bold", 2)):
            await noria.put(f"/api/apps/triage/variants/{name}", {"model": "up/m", "params": {"seed": seed}})
        said = {}
        for released in ("careful", "bold"):
            await noria.post("/api/apps/triage/releases", {"shares": [{"variant": released}]})
            for called in ("triage", f"triage@{released}"):
                body = {"model": called, "messages": [{"role": "user", "content": "hallo"}]}
                said[called, released] = (await noria.client.post("/v1/chat/completions", json=body)).status_code
        assert said == {
            ("triage", "careful"): 400,
            ("triage@careful", "careful"): 400,
            ("triage", "bold"): 200,
            ("triage@bold", "bold"): 200,
        }


class Asks:
    """A guard that asks a model."""

    name, version = "asks", "1"

    def __init__(self, judge: str = "up/judge", reach: int | None = None) -> None:
        self.judge = judge
        self.reach = reach

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        said = Message(role="user", content=f"Is this bad? {checked.text}")
        reply = await checked.ask(Request(model=self.judge, messages=(said,)))
        return [Flaw(reason="It is bad.")] if reply.text == "yes" else []


async def test_what_a_guard_asks_is_on_the_account_of_the_call_it_checks_and_checked_by_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.assemble.gateway.guarding.make", lambda _: Asks())
    rule = GuardRule(kind="asks", places=("input",), deadline_s=20)
    async with serving(tmp_path / "data", rule) as noria:
        noria.upstream.script = lambda body: answer(
            "Hello." if body["model"] == "m" else "yes" if "a bomb" in body["messages"][0]["content"] else "no"
        )
        bot = await key(noria, "bot")
        limit = {"name": "all", "measure": "tokens", "amount": 2100, "of": "key", "window": "month"}
        await noria.put("/api/limits", limit)
        said = []
        for text in ("a cake", "a bomb", "a pie"):
            body = {"model": "up/m", "messages": [{"role": "user", "content": text}], "max_tokens": 9}
            answered = await noria.client.post("/v1/chat/completions", json=body, headers=bot)
            said.append((answered.status_code, answered.json().get("error", {}).get("code")))
            limit["amount"] = 1000 if len(said) == 2 else 2100
            await noria.put("/api/limits", limit)
        assert said == [(200, None), (400, "blocked"), (503, "unavailable")], (
            "the last had no room for the guard's call"
        )
        assert [body["model"] for body in noria.upstream.bodies] == ["judge", "m", "judge"]
        spans = await noria.spans()
        asked, call = (next(one for one in spans if one["request_model"] == name) for name in ("judge", "m"))
        assert asked["attributes"]["noria.purpose"] == "guard"
        assert asked["attributes"]["noria.key_id"] == call["attributes"]["noria.key_id"]
        assert (asked["trace_id"], asked["parent_id"]) == (call["trace_id"], call["span_id"])


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_guard_may_ask_the_provider_whose_every_place_is_taken_by_calls_that_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr("noria.assemble.gateway.guarding.make", lambda _: Asks("small/judge", reach=4))
    rule = GuardRule(kind="asks", places=("stream",), deadline_s=5, on=("small/m",))
    async with upstream.serving(lambda body: answer("no" if body["model"] == "judge" else "Hello there.")) as small:
        provider = Provider(base_url=small.base_url, attempts=1, max_calls=calls, max_waiting=calls)
        async with serving(tmp_path / "data", rule, others={"small": provider}) as noria:
            replies = await asyncio.gather(*(ask(noria, "hi", stream=True, model="small/m") for _ in range(calls)))
            assert all("[DONE]" in reply.text and "error" not in reply.text for reply in replies)
            assert [body["model"] for body in small.bodies].count("judge") >= calls


async def test_what_a_guard_asked_is_on_record_also_where_its_deadline_came_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.assemble.gateway.guarding.make", lambda _: Asks())
    rule = GuardRule(kind="asks", places=("input",), deadline_s=0.3, late="pass")
    async with serving(tmp_path / "data", rule) as noria:
        never = asyncio.Event()
        noria.upstream.script = lambda body: answer("Hello.") if body["model"] == "m" else [never]
        assert (await ask(noria, "a cake", stream=False)).status_code == 200
        await noria.workspace.calling._cut_calls.drain()
        assert {span["request_model"]: span["status"] for span in await noria.spans()} == {
            "m": "ok",
            "judge": "cancelled",
        }
