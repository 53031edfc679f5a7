"""Workers on a data folder that another process holds: here all of them in one process, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from noria.assemble import Workspace, open_worker_workspace, open_workspace
from noria.assemble.workers.holding import Holding, telling_changes
from noria.assemble.workers.sharing import Sharing, leave_out, share
from noria.core.errors import EngineFailed, Unavailable
from noria.core.models import LocalModel
from noria.core.questions import Question
from noria.engines.scripted import ScriptedEngine
from noria.serve.access import Access
from noria.serve.app import Application
from noria.serve.for_workers import ForWorkers
from noria.serve.passing_on import PassingOn
from noria.serve.port import bind
from noria.serve.run import serving_application, url_of
from noria.settings import Provider, Settings
from noria.targets.scripted import answer
from targets import upstream

from .conftest import KEY, UPSTREAM_KEY, hello

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")

CHAT = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Worker:
    workspace: Workspace
    client: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.client.request(method, path, json=body, headers=headers)

    async def chat(self, **more: Any) -> httpx.Response:
        return await self.ask("POST", "/v1/chat/completions", CHAT | more)


@dataclass
class Held:
    holder: Workspace
    application: ForWorkers
    workers: list[Worker]
    upstream: upstream.Upstream
    sharing: Sharing


@contextlib.asynccontextmanager
async def held(
    folder: Path, *, count: int = 2, places: Mapping[str, int] | None = None, **more: Any
) -> AsyncIterator[Held]:
    """A holder with its workers; ``places`` are its provider's."""
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(upstream.serving(hello))
        up = Provider(base_url=provider.base_url, api_key_env="UP_KEY", attempts=1, **(places or {}))
        settings = Settings(data=str(folder), providers={"up": up}, **more)
        environ = {"NORIA_API_KEY": KEY, "UP_KEY": UPSTREAM_KEY}
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # short: a socket's path is at most 100 bytes
        holder = await stack.enter_async_context(open_workspace(settings, environ, holder="a test"))
        (place / "shared").mkdir()
        sharing = Sharing(folder=str(place / "shared"), processes=count + 1)
        share(holder, sharing)
        stack.enter_context(telling_changes(holder.catalogue, place / "page"))
        inside = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
        inside.bind(str(place / "socket"))
        inside.listen()
        access = Access(holder.key, find=holder.keyring.find)
        application = ForWorkers(holder, access)
        await stack.enter_async_context(serving_application(application, inside, access, "http://127.0.0.1"))
        workers = []
        for number in range(1, count + 1):
            holding = Holding(socket=str(place / "socket"), page=str(place / "page"), worker=number)
            opened = open_worker_workspace(settings, environ, holding)
            workspace, link = await stack.enter_async_context(opened)
            share(workspace, sharing.by(number))
            mine = Access(workspace.key, find=workspace.keyring.find)
            bound = bind("127.0.0.1", 0)
            answering = Application(workspace, mine, elsewhere=PassingOn(link))
            await stack.enter_async_context(serving_application(answering, bound, mine, url_of(bound)))
            headers = {"authorization": f"Bearer {KEY}"}
            client = httpx.AsyncClient(base_url=url_of(bound), headers=headers, trust_env=False, timeout=60)
            workers.append(Worker(workspace, await stack.enter_async_context(client)))
        yield Held(holder, application, workers, provider, sharing)


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Held]:
    async with held(tmp_path / "data") as made:
        yield made


async def test_a_call_of_one_worker_is_on_record_for_who_asks_another(folder: Held) -> None:
    one, two = folder.workers
    assert (await one.chat()).json()["choices"][0]["message"]["content"] == "Hello"
    streamed = await two.chat(stream=True)
    assert streamed.text.endswith("data: [DONE]\n\n")
    spans = (await one.ask("GET", "/api/traces")).json()
    assert {span["trace_id"] for span in spans} == {streamed.headers["noria-trace-id"], spans[1]["trace_id"]}
    assert len(spans) == 2
    third = (await two.chat()).headers["noria-trace-id"]
    assert (await one.ask("GET", f"/api/traces/{third}")).status_code == 200


async def test_a_key_a_limit_and_a_release_are_in_force_everywhere_when_they_are_answered(folder: Held) -> None:
    one, two = folder.workers
    made = (await one.ask("POST", "/api/keys", {"name": "app", "permissions": ["gateway"]})).json()
    bearer = {"authorization": f"Bearer {made['secret']}"}
    assert (await two.ask("POST", "/v1/chat/completions", CHAT, **bearer)).status_code == 200
    assert (await two.ask("GET", "/api/traces", **bearer)).status_code == 403
    await one.ask("PUT", "/api/limits", {"name": "few", "measure": "requests", "amount": 0, "of": "key"})
    assert (await two.ask("POST", "/v1/chat/completions", CHAT, **bearer)).status_code == 429
    await one.ask("POST", f"/api/keys/{made['key']['id']}/revoke")
    assert (await two.ask("POST", "/v1/chat/completions", CHAT, **bearer)).status_code == 401
    await one.ask("POST", "/api/apps", {"name": "greeter"})
    for name in ("small", "large"):
        added = await two.ask("PUT", f"/api/apps/greeter/variants/{name}", {"model": f"up/{name}"})
        assert added.is_success, added.text
        shares = {"shares": [{"variant": name}], "reason": "a test"}
        assert (await one.ask("POST", "/api/apps/greeter/releases", shares)).status_code == 201
        for worker in (one, two):
            assert (await worker.chat(model="greeter")).headers["noria-model"] == f"up/{name}"


async def test_a_limit_holds_over_all_workers(folder: Held) -> None:
    limit = {"name": "rpd", "measure": "requests", "amount": 20, "of": "all", "window": "day"}
    assert (await folder.workers[0].ask("PUT", "/api/limits", limit)).is_success
    replies = await asyncio.gather(*(folder.workers[number % 2].chat() for number in range(50)))
    passed = [reply for reply in replies if reply.status_code == 200]
    assert {reply.status_code for reply in replies} == {200, 429}
    assert len(folder.upstream.bodies) == len(passed) <= 20
    async with asyncio.timeout(20):  # what one worker leased and did not use, it gives back
        while len(folder.upstream.bodies) < 20:
            await asyncio.gather(*(worker.chat() for worker in folder.workers))
            await asyncio.sleep(0.2)
    assert [(await worker.chat()).status_code for worker in folder.workers] == [429, 429]


async def test_so_many_calls_at_a_time_are_the_servers_and_the_providers_not_each_workers(tmp_path: Path) -> None:
    gate = asyncio.Event()
    few = {"max_calls": 2, "max_waiting": 0}
    async with held(tmp_path / "data", places=few, max_calls=3, max_waiting=0) as folder:
        one, two = folder.workers
        folder.upstream.script = lambda _: [gate, *answer("yes")]
        calls = [asyncio.create_task(worker.chat()) for worker in (one, two)]
        async with asyncio.timeout(20):
            while len(folder.upstream.bodies) < 2:  # noqa: ASYNC110  # another process would tell it
                await asyncio.sleep(0.01)
        for worker in (one, two):
            refused = await worker.chat()
            assert refused.status_code == 503
            assert "Provider 'up' has 2 calls under way" in refused.json()["error"]["message"]
        async with asyncio.timeout(20):
            while (state := (await one.ask("GET", "/api/gateway")).json()["places"])["running"] < 2:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.1)
        assert (state["most"], state["most_waiting"]) == (3, 0)
        leave_out(folder.sharing, 2)  # as if it had been killed
        calls.append(asyncio.create_task(one.chat()))
        async with asyncio.timeout(20):
            while len(folder.upstream.bodies) < 3:  # noqa: ASYNC110  # another process would tell it
                await asyncio.sleep(0.01)
        gate.set()
        assert [(await call).status_code for call in calls] == [200] * 3


async def test_a_response_goes_on_from_one_that_another_worker_answered(folder: Held) -> None:
    one, two = folder.workers
    first = (await one.ask("POST", "/v1/responses", {"model": "up/m", "input": "hi"})).json()
    more = {"model": "up/m", "input": "and?", "previous_response_id": first["id"]}
    assert (await two.ask("POST", "/v1/responses", more)).status_code == 200
    said = [message["content"] for message in folder.upstream.bodies[-1]["messages"]]
    assert said == ["hi", "Hello", "and?"]
    assert (await one.ask("GET", f"/v1/responses/{first['id']}")).json()["id"] == first["id"]
    assert (await one.ask("DELETE", f"/v1/responses/{first['id']}")).json()["deleted"] is True
    assert (await two.ask("POST", "/v1/responses", more)).status_code == 404


async def test_metrics_add_up_and_those_of_a_worker_that_is_gone_stay(folder: Held) -> None:
    one, two = folder.workers
    for worker in (one, two, two):
        await worker.chat()

    async def counted() -> str:
        page = (await one.ask("GET", "/metrics")).text
        found = re.findall(r"^gen_ai_client_operation_duration_seconds_count\{.*\} (.*)$", page, re.MULTILINE)
        return found[0] if found else "0.0"

    async with asyncio.timeout(20):
        while await counted() != "3.0":  # noqa: ASYNC110  # another process would tell it
            await asyncio.sleep(0.1)
    state = (await one.ask("GET", "/api/gateway")).json()
    [provider] = [provider for provider in state["providers"] if provider["name"] == "up"]
    assert [(model["model"], model["calls"]) for model in provider["models"]] == [("up/m", 3)]
    assert provider["ready"]
    told = folder.holder.told._latest[2]
    folder.holder.told.take(msgspec.structs.replace(told, worker=1, process="another"))
    assert float(await counted()) == 5.0
    assert "noria_keys 0.0" in (await one.ask("GET", "/metrics")).text


async def test_what_is_not_a_call_goes_through_as_it_is(folder: Held) -> None:
    one, _ = folder.workers
    page = await one.ask("GET", "/")
    assert page.status_code == 200
    assert page.headers["content-security-policy"]
    assert len(page.headers.get_list("date")) == 1
    assert (await one.ask("HEAD", "/healthz")).headers["content-length"] == "15"
    assert (await one.ask("GET", "/readyz")).json() == {"ready": True}
    assert (await one.ask("GET", "/api/keys", authorization="Bearer wrong")).status_code == 401
    foreign = await one.ask("GET", "/api/keys", origin="http://evil.example")
    assert foreign.status_code == 403
    spans: dict[str, Any] = {"resourceSpans": []}
    assert (await one.ask("POST", "/v1/traces", spans)).json() == {}

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000
        yield b'{"name": "piecewise"}'

    made = await one.client.post("/api/apps", content=pieces(), headers={"content-type": "application/json"})
    assert made.status_code == 201
    assert (await one.ask("POST", "/v1/nothing")).status_code == 404


async def test_one_browsers_session_is_nobody_elses(folder: Held) -> None:
    one, two = folder.workers
    link = folder.application._access.new_link_token()
    async with httpx.AsyncClient(base_url=one.client.base_url, trust_env=False) as browser:
        assert (await browser.get(f"/login?token={link}")).status_code == 303
        assert (await browser.get("/api/keys")).status_code == 200
    async with httpx.AsyncClient(base_url=one.client.base_url, trust_env=False) as stranger:
        assert (await stranger.get("/api/keys")).status_code == 401
        assert (await stranger.get(f"/login?token={link}")).status_code == 401
    assert (await two.ask("GET", "/login?token=made-up")).status_code == 401


async def test_a_tail_ends_there_when_its_reader_goes_away_here(folder: Held) -> None:
    async with folder.workers[0].client.stream("GET", "/api/traces/tail") as response:
        assert response.status_code == 200
        assert folder.application.traffic._running == 1
        await folder.workers[1].chat()
        async for line in response.aiter_lines():
            if "up/m" in line:
                break
    async with asyncio.timeout(20):
        while folder.application.traffic._running:  # noqa: ASYNC110  # a number has no events
            await asyncio.sleep(0.01)


async def test_what_workers_ask_for_is_theirs_alone(folder: Held) -> None:
    one, _ = folder.workers
    assert (await one.ask("POST", "/workers/spans", {})).status_code == 404
    path = str(folder.workers[0].workspace.traces._link.session.connector._path)  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path), base_url="http://localhost") as inside:
        assert (await inside.post("/workers/spans", json={})).status_code == 401
        key = {"authorization": f"Bearer {KEY}"}
        assert (await inside.post("/workers/spans", json={}, headers=key)).json() == []
        assert (await inside.post("/workers/nothing", json={}, headers=key)).status_code == 404
        assert (await inside.post("/workers/told", content=b"{", headers=key)).status_code >= 400


async def test_an_engine_of_the_holder_answers_calls_of_workers(folder: Held, tmp_path: Path) -> None:
    model = LocalModel(name="tiny", source="a test", sha256="0" * 64, size=1)
    folder.holder.catalogue.models.put(model)
    folder.holder.calling.engines._engines[model.id] = ScriptedEngine(tmp_path)  # type: ignore[attr-defined]
    one, two = folder.workers
    for worker in (one, two):
        reply = await worker.chat(model="local/tiny", messages=[{"role": "user", "content": "[[say good day]]"}])
        assert reply.json()["choices"][0]["message"]["content"] == "good day", reply.text
    crashed = await one.chat(model="local/tiny", messages=[{"role": "user", "content": "[[crash]]"}])
    assert crashed.json()["error"]["code"] == EngineFailed.code
    spans = (await two.ask("GET", "/api/traces")).json()
    assert [span["provider"] for span in spans] == ["local"] * 3


async def test_without_its_holder_a_worker_says_so(tmp_path: Path) -> None:
    async with held(tmp_path / "data", count=1) as folder:
        [one] = folder.workers
        path = Path(str(one.workspace.traces._link.session.connector._path))  # type: ignore[attr-defined]
        await asyncio.to_thread(path.unlink)
        refused = await one.ask("GET", "/api/traces")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await one.chat()).status_code == 200
        for asked in (one.workspace.traces.spans, one.workspace.traces.query, one.workspace.traces.delete):
            with pytest.raises(Unavailable):
                await asked(Question())
