"""Rankings through the gateway, as Cohere's own client asks for them, and what is on record afterwards."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cohere
import pytest
from aiohttp import web
from cohere.core.api_error import ApiError

from noria.assemble import open_workspace
from noria.core.questions import Question
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings

from .conftest import KEY, Clock

DOCUMENTS = ["a penguin", "a car", "an emperor penguin"]


class Upstream:
    """Cohere's ``POST /v2/rerank``: longer texts are better."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def rerank(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if body["model"] != "rerank-v4.0":
            return web.json_response({"message": f"model '{body['model']}' not found"}, status=404)
        lengths = sorted(((len(text), i) for i, text in enumerate(body["documents"])), reverse=True)
        results = [{"index": i, "relevance_score": length / 100} for length, i in lengths][: body.get("top_n")]
        meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
        return web.json_response({"id": "upstream-id", "results": results, "meta": meta})


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    provider = Upstream()
    app = web.Application()
    app.router.add_post("/v2/rerank", provider.rerank)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield provider, f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
    await runner.cleanup()


@pytest.fixture
async def served(tmp_path: Path, upstream: tuple[Upstream, str]) -> AsyncIterator[tuple[str, Upstream, Any]]:
    provider = Provider(base_url=upstream[1], kind="cohere", api_key_env="CO_KEY", attempts=1)
    settings = Settings(data=str(tmp_path / "data"), providers={"co": provider})
    environ = {"NORIA_API_KEY": KEY, "CO_KEY": "co-upstream"}
    async with (
        open_workspace(settings, environ, holder="a test") as workspace,
        serving(workspace, bind("127.0.0.1", 0), Access(workspace.key, [], Clock())) as (running, _),
    ):
        yield running.url, upstream[0], workspace


async def test_version_2_passes_through_and_is_recorded(served: tuple[str, Upstream, Any]) -> None:
    url, upstream, workspace = served
    async with cohere.AsyncClientV2(KEY, base_url=url) as client:
        reply = await client.rerank(
            model="co/rerank-v4.0", query="emperors", documents=DOCUMENTS, top_n=2, max_tokens_per_doc=100
        )
    assert [result.index for result in reply.results] == [2, 0]
    assert reply.id == "upstream-id"  # the provider's own bytes
    assert upstream.bodies == [
        {
            "model": "rerank-v4.0",
            "query": "emperors",
            "documents": DOCUMENTS,
            "top_n": 2,
            "max_tokens_per_doc": 100,
        }
    ]
    [span] = await workspace.traces.spans(Question())
    assert (span.operation, span.provider, span.request_model, span.status) == ("rerank", "co", "rerank-v4.0", "ok")
    assert [message.text for message in span.input] == ["emperors", *DOCUMENTS]


async def test_version_1_gives_the_documents_back(served: tuple[str, Upstream, Any]) -> None:
    url, _, _ = served
    async with cohere.AsyncClient(KEY, base_url=url) as client:
        reply = await client.rerank(
            model="co/rerank-v4.0",
            query="emperors",
            documents=["a", {"text": "longer"}],
            top_n=1,
            return_documents=True,
        )
    [result] = reply.results
    assert result.document is not None
    assert (result.index, result.document.text) == (1, "longer")


@pytest.mark.parametrize(
    ("version", "body", "status", "sentence"),
    [
        (2, {"model": "co/nope", "query": "q", "documents": ["a"]}, 404, "model 'nope' not found"),
        (2, {"model": "co/rerank-v4.0", "query": "q", "documents": []}, 400, "`documents` is empty"),
        (2, {"model": "co/rerank-v4.0", "documents": ["a"]}, 400, "`query` is missing"),
        (2, {"model": "co/rerank-v4.0", "query": "q", "documents": ["a", 7]}, 400, r"`documents\[1\]` is wrong"),
        (2, {"model": "co/rerank-v4.0", "query": "q", "documents": ["a"], "top_n": 0}, 400, "`top_n` must be"),
        (1, {"model": "co/rerank-v4.0", "query": "q", "documents": [{"title": "a"}]}, 400, r"`documents\[0\]`"),
        (1, {"model": "co/m", "query": "q", "documents": ["a"], "return_documents": 3}, 400, "`return_documents`"),
        (1, {"model": "co/m", "query": "q", "documents": ["a"], "rank_fields": ["x"]}, 400, "`rank_fields` can't"),
    ],
)
async def test_mistakes_are_told_in_coheres_shape(
    served: tuple[str, Upstream, Any], version: int, body: dict[str, Any], status: int, sentence: str
) -> None:
    url, _, _ = served
    async with cohere.AsyncClient(KEY, base_url=url) as client:
        response = await client._client_wrapper.httpx_client.request(f"v{version}/rerank", method="POST", json=body)
    assert response.status_code == status
    assert re.search(sentence, response.json()["message"])


async def test_a_wrong_key_is_told_in_coheres_shape(served: tuple[str, Upstream, Any]) -> None:
    url, _, _ = served
    async with cohere.AsyncClientV2("wrong", base_url=url) as client:
        with pytest.raises(ApiError) as refusal:
            await client.rerank(model="co/rerank-v4.0", query="q", documents=["a"])
    assert refusal.value.status_code == 401
    assert refusal.value.body["message"]
