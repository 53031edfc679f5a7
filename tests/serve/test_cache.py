"""The cache of live replies, as callers see it, and what is on record and on disk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from noria.core.caching import CachePolicy
from noria.core.retention import RetentionRule
from noria.serve.app import Application
from noria.serve.facts import HEADERS

from .conftest import KEY, Noria, opened

PLAIN = CachePolicy()


@asynccontextmanager
async def serving(folder: Path, policy: CachePolicy = PLAIN, **more: Any) -> AsyncIterator[Noria]:
    async with opened(folder, caches={"up/*": policy}, **more) as (workspace, access, provider, clock):
        transport = httpx.ASGITransport(Application(workspace, access))
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7700", headers=headers) as client:
            yield Noria(workspace, access, client, provider, clock)


async def ask(noria: Noria, text: str = "hi", *, stream: bool = False, model: str = "up/m", **headers: str) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, "user": "ann"}
    return await noria.client.post(
        "/v1/chat/completions", json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


async def test_an_alias_is_what_it_stands_for_unless_it_has_a_policy_of_its_own(tmp_path: Path) -> None:
    async with opened(
        tmp_path / "data",
        caches={"up/*": PLAIN, "own": CachePolicy(scope="key")},
        aliases={"mini": "up/m", "smaller": "mini", "own": "up/m"},
    ) as (workspace, *_):
        policies = workspace.calling.caches.policy
        assert [policies(name) and policies(name).scope for name in ("mini", "smaller", "own", "other")] == [
            "app",
            "app",
            "key",
            None,
        ]
    async with serving(tmp_path / "data", aliases={"mini": "up/m"}) as noria:
        said = [(await ask(noria, model="mini")).headers["noria-cache"] for _ in range(2)]
        assert said == ["miss", "hit"]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_same_call_again_costs_nothing(tmp_path: Path, stream: bool) -> None:
    async with serving(tmp_path / "data") as noria:
        first, second = await ask(noria, stream=stream), await ask(noria, stream=stream)
        assert re.sub(rb'"created":\d+', b"", first.content) == re.sub(rb'"created":\d+', b"", second.content)
        assert (first.headers["noria-cache"], second.headers["noria-cache"]) == ("miss", "hit")
        assert float(second.headers["noria-cache-age"]) >= 0
        assert len(noria.upstream.bodies) == 1
        before, span = await noria.spans()
        assert (span["cached"], span["cost_usd"], span["output_tokens"]) == (True, 0.0, 2)
        assert span["attributes"]["noria.replayed.span"] == f"{before['trace_id']}/{before['span_id']}"
        assert span["attributes"]["noria.cache"] == "hit"
        if not stream:
            assert second.headers["noria-cost-usd"] == "0.000000000"


async def test_a_stream_is_answered_from_a_whole_reply_and_the_other_way_round(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as noria:
        await ask(noria, "a")
        streamed = await ask(noria, "a", stream=True)
        assert (streamed.headers["noria-cache"], b"[DONE]" in streamed.content) == ("hit", True)
        await ask(noria, "b", stream=True)
        whole = await ask(noria, "b")
        assert whole.json()["choices"][0]["message"]["content"] == "Hello"
        assert len(noria.upstream.bodies) == 2


@pytest.mark.parametrize(
    ("headers", "outcome", "calls"),
    [
        ({"noria_cache": "skip"}, "skip", 2),
        ({"noria_cache": "refresh"}, "miss", 2),
        ({"noria_cache": "only"}, "hit", 1),
        ({"cache_control": "no-store"}, "skip", 2),
        ({"cache_control": "max-age=0, no-cache"}, "miss", 2),
        ({"noria_cache": "use", "cache_control": "no-store"}, "hit", 1),
    ],
)
async def test_a_caller_decides(tmp_path: Path, headers: dict[str, str], outcome: str, calls: int) -> None:
    async with serving(tmp_path / "data") as noria:
        await ask(noria)
        assert (await ask(noria, **headers)).headers["noria-cache"] == outcome
        assert len(noria.upstream.bodies) == calls


async def test_only_is_refused_where_nothing_is_kept(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as noria:
        nothing = await ask(noria, noria_cache="only")
        assert (nothing.status_code, "No kept reply" in nothing.text) == (504, True)
        never = await ask(noria, model="local/x", noria_cache="only")
        assert (never.status_code, "never answered from kept replies" in never.text) == (504, True)
        wrong = await ask(noria, noria_cache="maybe")
        assert (wrong.status_code, "skip, refresh or only" in wrong.text) == (400, True)
        assert noria.upstream.bodies == []


async def test_a_users_replies_go_with_the_user(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as noria:
        await ask(noria, "what only ann has ever asked")
        await noria.workspace.erasures.erase("ann")
        assert (await ask(noria, "what only ann has ever asked", noria_cache="only")).status_code == 504


async def test_a_users_replies_go_also_where_there_is_no_cache_any_more(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", CachePolicy(ttl_s=1e9)) as noria:
        await ask(noria, "what only ann has ever asked")
    async with opened(tmp_path / "data") as (workspace, *_):
        assert workspace.calling.caches.replies is None
        await workspace.erasures.erase("ann")
    async with serving(tmp_path / "data") as noria:
        assert (await ask(noria, "what only ann has ever asked", noria_cache="only")).status_code == 504


async def test_retention_reaches_the_replies(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", CachePolicy(ttl_s=1e9)) as noria:
        await ask(noria, "old")
        noria.workspace.catalogue.retention.put(RetentionRule(app="*", texts_days=1))
        later = noria.workspace.now() + 2 * 86_400 * 10**9
        noria.workspace.retention._now = lambda: later
        replies = noria.workspace.calling.caches.replies
        assert replies is not None
        replies._now = lambda: later
        await noria.workspace.retention.run()
        assert (await ask(noria, "old", noria_cache="only")).status_code == 504


async def test_what_the_cache_holds_is_in_the_metrics(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as noria:
        await ask(noria)
        replies = noria.workspace.calling.caches.replies
        assert replies is not None
        replies._settle()
        page = (await noria.client.get("/metrics")).text
        assert "noria_cache_replies 1.0" in page


async def test_without_a_cache_nothing_is_kept_and_nothing_said(noria: Noria) -> None:
    await ask(noria)
    again = await ask(noria)
    assert "noria-cache" not in again.headers
    assert len(noria.upstream.bodies) == 2
    assert not (noria.workspace.settings.folder / "replies.sqlite").exists()


def test_every_header_is_in_the_documents() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
    for name, meaning in HEADERS.items():
        assert f"| `{name}` | {meaning} |" in page
