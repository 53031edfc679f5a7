"""The doctor, and providers with every illness."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from noria.assemble import open_workspace
from noria.assemble.providers.doctor import Check, Examination
from noria.core.errors import InvalidInput, UnknownName
from noria.settings import Provider, Settings
from noria.targets.scripted import answer
from targets.upstream import serving

KEY = "sk-canary-that-no-report-shows"


@asynccontextmanager
async def listing(answered: Callable[[web.Request], web.StreamResponse]) -> AsyncIterator[str]:
    """A provider that answers the question for its models."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return answered(request)

    app = web.Application()
    app.router.add_get("/v1/models", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def examined(folder: Path, base_url: str, *, key: str = KEY, calls: Any = (), **more: Any) -> Examination:
    given: dict[str, Any] = {"base_url": base_url, "api_key_env": "P_KEY", "attempts": 1}
    settings = Settings(data=str(folder / "data"), providers={"p": Provider(**given | more)})
    async with open_workspace(settings, {"P_KEY": key} if key else {}, holder="a test") as workspace:
        [found] = await workspace.doctor.examine(calls=calls)
    assert KEY not in str(found)
    return found


def check(found: Examination, name: str) -> Check:
    [one] = [one for one in found.checks if one.name == name]
    return one


def models(request: web.Request) -> web.Response:
    right = request.headers.get("authorization") == f"Bearer {KEY}"
    return web.json_response({"data": [{"id": "m"}, {"id": "n"}]}) if right else web.json_response({}, status=401)


async def test_a_provider_that_is_well(tmp_path: Path) -> None:
    async with listing(models) as url:
        found = await examined(tmp_path, url)
    assert (found.ok, found.models, found.base_url) == (True, 2, url)
    assert [one.name for one in found.checks] == ["configuration", "name", "connection", "clock", "key", "models"]
    assert all(one.ok for one in found.checks)
    connection = check(found, "connection")
    assert connection.seconds is not None
    assert 0 < connection.seconds < 10


ILL: dict[str, tuple[Callable[[web.Request], web.StreamResponse], str, str]] = {
    "refused key": (lambda _: web.json_response({}, status=401), "key", "not accepted (401)"),
    "forbidden": (lambda _: web.json_response({}, status=403), "key", "not accepted (403)"),
    "google's way": (
        lambda _: web.Response(status=400, text='{"reason":"API_KEY_INVALID"}'),
        "key",
        "not accepted (400)",
    ),
    "wrong place": (lambda _: web.Response(status=404), "models", "no list of models below base_url (404)"),
    "a web page": (lambda _: web.Response(text="<html>"), "models", "no such API"),
    "a list": (lambda _: web.json_response([]), "models", "no such API"),
    "nothing loaded": (lambda _: web.json_response({"data": []}), "models", "0 models"),
    "not well": (lambda _: web.Response(status=503), "models", "503: it is not well"),
    "clock": (
        lambda _: web.json_response({"data": [1]}, headers={"Date": formatdate(1_000_000_000, usegmt=True)}),
        "clock",
        "ahead of the provider's",
    ),
}


@pytest.mark.parametrize("illness", ILL)
async def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path, illness: str) -> None:
    answered, name, said = ILL[illness]
    async with listing(answered) as url:
        found = await examined(tmp_path, url)
    one = check(found, name)
    assert (found.ok, one.ok) == (False, False)
    assert said in one.said
    assert one.hint


async def test_too_many_requests_say_nothing_about_the_key(tmp_path: Path) -> None:
    async with listing(lambda _: web.Response(status=429)) as url:
        found = await examined(tmp_path, url)
    assert (found.ok, check(found, "key").ok) == (True, None)


async def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = await examined(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
    assert (found.ok, check(found, "connection").ok) == (False, False)
    assert "Nothing answers" in check(found, "connection").said


async def test_no_tls_where_it_was_expected(tmp_path: Path) -> None:
    async with listing(models) as url:
        found = await examined(tmp_path, url.replace("http:", "https:"))
    assert "TLS" in check(found, "connection").said
    assert "http" in check(found, "connection").hint


async def test_something_else_than_http(tmp_path: Path) -> None:
    async def answered(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    async with server:
        found = await examined(tmp_path, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    assert "does not speak HTTP" in check(found, "connection").said


async def test_a_host_without_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", nowhere)
    found = await examined(tmp_path, "https://nowhere.example/v1")
    assert (check(found, "name").ok, "nowhere.example has no address" in check(found, "name").said) == (False, True)


async def test_a_key_that_is_not_set(tmp_path: Path) -> None:
    found = await examined(tmp_path, "http://127.0.0.1:1/v1", key="")
    assert "P_KEY, which is not set" in check(found, "configuration").said
    assert [one.name for one in found.checks] == ["configuration"]


async def test_a_call_is_made_where_it_is_asked_for_and_recorded(tmp_path: Path) -> None:
    async with serving(lambda _: answer("O", "K")) as upstream:
        found = await examined(tmp_path, upstream.base_url, calls=["p/m"])
    assert (check(found, "call").ok, check(found, "stream").ok) == (True, True)
    assert [body["stream"] for body in upstream.bodies] == [False, True]
    assert all(16 in body.values() for body in upstream.bodies)


async def test_a_provider_that_does_not_stream(tmp_path: Path) -> None:
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "OK"}}]}  # fmt: skip
    async with serving(lambda body: [web.json_response(whole)]) as upstream:
        found = await examined(tmp_path, upstream.base_url, calls=["p/m"])
    assert (check(found, "call").ok, check(found, "stream").ok) == (True, False)
    assert "in one piece" in check(found, "stream").said


async def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    async with serving(lambda _: [web.json_response({"error": {"message": "No such model."}}, status=404)]) as upstream:
        found = await examined(tmp_path, upstream.base_url, calls=["p/m"])
    assert (check(found, "call").ok, "No such model." in check(found, "call").said) == (False, True)


async def test_only_who_is_asked_for_is_looked_at(tmp_path: Path) -> None:
    async with serving(lambda _: answer("O", "K")) as upstream:
        lab = Provider(base_url=upstream.base_url)
        settings = Settings(data=str(tmp_path / "data"), providers={"lab": lab, "other": lab})
        async with open_workspace(settings, {"OPENAI_API_KEY": KEY}, holder="a test") as workspace:
            examine = workspace.doctor.examine
            assert [one.provider for one in await examine(calls=["lab/m"])] == ["lab"]
            assert [one.provider for one in await examine(["other"], ["lab/m"])] == ["other", "lab"]
            for providers, calls in ((["lap"], []), ([], ["lap/m"])):
                with pytest.raises(UnknownName, match=r"no provider 'lap' \(known: local, lab, other, openai\)"):
                    await examine(providers, calls)


async def test_a_name_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="names no model"):
        await examined(tmp_path, "http://127.0.0.1:1/v1", calls=["gpt"])
