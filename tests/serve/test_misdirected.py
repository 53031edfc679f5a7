"""Official clients with a base URL that is right for another one: each shows its user what to change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import cohere
import cohere.core
import httpx
import openai
import pytest
from google import genai
from google.genai import errors, types

from noria.serve.misdirected import meant

from .conftest import Noria
from .test_limits import HI, key


async def _openai(url: str, secret: str) -> Any:
    async with openai.AsyncOpenAI(base_url=url, api_key=secret, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="up/m", messages=HI)
    return caught.value.body


async def _anthropic(url: str, secret: str) -> Any:
    async with anthropic.AsyncAnthropic(base_url=url, api_key=secret, max_retries=0) as client:
        with pytest.raises(anthropic.NotFoundError) as caught:
            await client.messages.create(model="up/m", messages=HI, max_tokens=9)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"
    return caught.value.body["error"]


async def _google(url: str, secret: str) -> Any:
    async with httpx.AsyncClient() as http:
        options = types.HttpOptions(base_url=url, httpx_async_client=http)
        with pytest.raises(errors.ClientError) as caught:
            await genai.Client(api_key=secret, http_options=options).aio.models.generate_content(
                model="m", contents="hi"
            )
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    return {"message": caught.value.message}


async def _cohere(url: str, secret: str) -> Any:
    async with cohere.AsyncClientV2(base_url=url, api_key=secret) as client:
        with pytest.raises(cohere.core.ApiError) as caught:
            await client.rerank(model="up/m", query="q", documents=["a"])
    assert caught.value.status_code == 404
    return caught.value.body


@pytest.mark.parametrize(
    ("call", "end", "said"),
    [
        (_openai, "", "Your base URL lacks `/v1`: the path is /v1/chat/completions."),
        (_openai, "/v1/v1", "Your client adds /v1/chat/completions by itself: leave /v1 out of the base URL."),
        (_openai, "/v1/chat/completions", "adds /chat/completions by itself: end the base URL with `/v1`."),
        (_anthropic, "/v1", "Your client adds /v1/messages by itself: leave /v1 out of the base URL."),
        (
            _anthropic,
            "/v1/messages",
            "Your client adds /v1/messages by itself: leave /v1/messages out of the base URL.",
        ),
        (_google, "/v1beta", "by itself: leave /v1beta out of the base URL."),
        (_google, "/v1", "by itself: leave /v1 out of the base URL."),
        (_cohere, "/v2", "Your client adds /v2/rerank by itself: leave /v2 out of the base URL."),
        (_cohere, "/v1", "Your client adds /v2/rerank by itself: leave /v1 out of the base URL."),
    ],
)
async def test_a_wrong_base_url(server: Noria, call: Callable[[str, str], Awaitable[Any]], end: str, said: str) -> None:
    bot = (await key(server, "bot"))["authorization"][7:]
    body = await call(f"{server.url}{end}", bot)
    assert "There is nothing at" in body["message"]
    assert said in body["message"]
    assert not server.upstream.bodies


async def test_other_paths_where_nothing_is(noria: Noria) -> None:
    async def said(path: str, **headers: str) -> str:
        response = await noria.client.post(path, headers=headers)
        assert response.status_code in {401, 404}
        return str(response.json().get("error", response.json())["message"])

    assert "through /v1/chat/completions" in await said("/v2/chat")
    assert await said("/v1/nothing") == "There is nothing at '/v1/nothing'."
    assert "a `/` too much" in await said("/v1//chat/completions")
    assert (await said("/chat/completions", authorization="Bearer nk_wrong")).startswith("The key is wrong.")


def test_a_long_path_takes_no_time() -> None:
    asked: list[str] = []
    assert meant("/v1" * 20_000, lambda path: bool(asked.append(path))) is None
    assert len(asked) < 20
