"""The configuration changes while the server runs, and no call is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from noria.assemble import Workspace, open_workspace
from noria.core.errors import InvalidInput
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Settings, load_settings
from noria.targets.scripted import answer
from targets import upstream
from targets.upstream import Upstream

from .conftest import KEY


class Running:
    """A server that was started from a file, as ``noria up`` does it."""

    def __init__(self, folder: Path, workspace: Workspace, client: httpx.AsyncClient, ups: list[Upstream]) -> None:
        self._file = folder / "noria.toml"
        self.workspace = workspace
        self.client = client
        self.one, self.two = ups

    async def reload(self, toml: str) -> httpx.Response:
        self._file.write_text(toml)
        return await self.client.post("/api/server/reload")

    async def said(self, model: str = "m") -> str:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        response = await self.client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        text: str = response.json()["choices"][0]["message"]["content"]
        return text


def at(up: Upstream, name: str = "p", more: str = "") -> str:
    return f'[providers.{name}]\nbase_url = "{up.base_url}"\nattempts = 1\n{more}\n[aliases]\nm = "{name}/m"\n'


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with upstream.serving(lambda _: answer("one")) as one, upstream.serving(lambda _: answer("two")) as two:
        (tmp_path / "noria.toml").write_text(at(one))
        read = partial(load_settings, {}, tmp_path, {"data": str(tmp_path / "data")})
        async with (
            open_workspace(read(), {"NORIA_API_KEY": KEY}, holder="a test", read_again=read) as workspace,
            serving(workspace, bind("127.0.0.1", 0), Access(workspace.key)) as (server, _),
            httpx.AsyncClient(
                base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
            ) as client,
        ):
            yield Running(tmp_path, workspace, client, [one, two])


async def test_calls_under_way_end_as_they_began_and_new_ones_go_elsewhere(running: Running) -> None:
    gate = asyncio.Event()
    running.one.script = lambda _: [gate, *answer("one")]
    early = asyncio.create_task(running.said())
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.01)
            if running.one.bodies:
                break
    response = await running.reload(at(running.two, "q"))
    assert response.json() == {"changed": ["providers", "aliases"], "needs_restart": []}
    assert await running.said() == "two"
    assert (await running.client.post("/v1/chat/completions", json={"model": "p/m", "messages": []})).status_code == 404
    gate.set()
    assert await early == "one"
    assert [entry.subject for entry in running.workspace.catalogue.audit.list(5, action="settings.changed")]


async def test_no_call_fails_however_often_the_file_changes(running: Running) -> None:
    done = asyncio.Event()
    said: list[str] = []

    async def calls() -> None:
        while not done.is_set():
            said.append(await running.said())

    tasks = [asyncio.create_task(calls()) for _ in range(4)]
    for turn in range(10):
        assert (await running.reload(at([running.one, running.two][turn % 2]))).status_code == 200
        await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*tasks)
    assert set(said) == {"one", "two"}


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda toml: toml + "[", "not valid TOML"),
        (lambda toml: toml + 'n = "nobody/m"', "'nobody/m' is neither a model"),
        (lambda toml: toml.replace("attempts", "atempts"), "unknown field `atempts`"),
        (lambda toml: toml.replace("attempts = 1", 'kind = "telepathy"'), "is of kind 'telepathy'"),
        (lambda toml: "max_calls = 0\n" + toml, ">= 1"),
    ],
)
async def test_a_wrong_file_changes_nothing_and_says_what_is_wrong(
    running: Running, break_it: Callable[[str], str], sentence: str
) -> None:
    response = await running.reload(break_it(at(running.two)))
    error = response.json()["error"]
    assert (response.status_code, error["kept"]) == (400, "The configuration before it stays in force.")
    assert sentence in error["message"]
    assert await running.said() == "one"
    assert (await running.reload(at(running.two))).status_code == 200
    assert await running.said() == "two"


async def test_what_needs_a_restart_is_told_and_left(running: Running) -> None:
    response = await running.reload("port = 1234\nmax_calls = 7\n" + at(running.one))
    assert response.json() == {"changed": ["max_calls"], "needs_restart": ["port"]}
    assert (running.workspace.settings.max_calls, running.workspace.settings.port) == (7, 7700)


async def test_a_provider_that_stays_as_it_was_is_remembered(running: Running) -> None:
    def breaker() -> Any:
        provider = running.workspace.settings.provider("p")
        assert provider is not None
        return running.workspace.calling.answers.standing.model("p/m", provider).breaker

    await running.said()
    before = breaker()
    await running.reload('[routes.r]\ntargets = ["p/m"]\n' + at(running.one))
    await running.said("r")
    assert breaker() is before
    await running.reload(at(running.one, more="breaker_calls = 5"))
    await running.said()
    assert breaker() is not before


async def test_settings_made_by_a_program_are_not_read_again(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"))
    async with open_workspace(settings, {}, holder="a test") as workspace:
        with pytest.raises(InvalidInput, match="not started from a configuration"):
            await workspace.configuration.reload()


async def test_prices_guards_and_stored_keys_are_read_anew(running: Running) -> None:
    guard = '[[guards]]\nkind = "regex"\nname = "no hi"\non = ["*"]\nplaces = ["input"]\noptions = { pattern = "hi" }\n'
    price = '[prices."p/*"]\nper_request = 0.5\n'
    key = running.workspace.settings.folder / "p.key"
    key.write_text("sk-of-the-first-file")
    key.chmod(0o600)
    file = f'api_key_file = "{key}"\n'
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    before = await running.client.post("/v1/chat/completions", json=body)
    assert (before.status_code, "noria-cost-usd" in before.headers) == (200, False)
    reloaded = await running.reload(at(running.one, more=file) + price)
    assert reloaded.json() == {"changed": ["providers", "prices"], "needs_restart": []}
    priced = await running.client.post("/v1/chat/completions", json=body)
    assert float(priced.headers["noria-cost-usd"]) == 0.5
    assert running.one.headers[-1]["Authorization"] == "Bearer sk-of-the-first-file"
    key.write_text("sk-of-the-second-file")
    await running.reload(at(running.one, more=file) + price)
    await running.client.post("/v1/chat/completions", json=body)
    assert running.one.headers[-1]["Authorization"] == "Bearer sk-of-the-second-file"
    reloaded = await running.reload(at(running.one, more=file) + price + guard)
    assert reloaded.json()["changed"] == ["guards"]
    stopped = await running.client.post("/v1/chat/completions", json=body)
    assert (stopped.status_code, "no hi" in stopped.text) == (400, True)
    wrong = await running.reload(at(running.one) + guard.replace('"regex"', '"telepathy"'))
    assert (wrong.status_code, wrong.json()["error"]["kept"]) == (400, "The configuration before it stays in force.")
    await running.reload(at(running.one))
    assert await running.said() == "one"


async def test_the_first_cache_needs_no_restart_and_goes_again(running: Running) -> None:
    await running.said("p/m")
    await running.said("p/m")
    assert len(running.one.bodies) == 2
    cache = 'cache_mb = 7\n[caches."p/*"]\n'
    response = await running.reload(cache + at(running.one))
    assert response.json() == {"changed": ["caches", "cache_mb"], "needs_restart": []}
    assert [await running.said("p/m") for _ in range(3)] == ["one"] * 3
    assert len(running.one.bodies) == 3
    await running.reload(cache.replace("p/*", "p/other") + at(running.one))
    await running.said("p/m")
    await running.reload(at(running.one))
    await running.said("p/m")
    assert len(running.one.bodies) == 5
