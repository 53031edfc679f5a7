"""Providers that fail, as OpenAI's own client sees it through a real server: routes, fallbacks, going on, overload."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from noria.assemble import Workspace, open_workspace
from noria.core.apps import Share
from noria.core.errors import CallFailed, CallRefused
from noria.core.requests import Parameters
from noria.core.routes import Route
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings
from noria.targets.scripted import answer
from targets import upstream
from targets.upstream import CUT, RESET, Upstream

from .conftest import KEY

DURATIONS = "gen_ai_client_operation_duration_seconds_count"
HI: list[Any] = [{"role": "user", "content": "hi"}]


class Two:
    """A server with two providers, ``one`` and ``two``."""

    def __init__(self, workspace: Workspace, url: str, one: Upstream, two: Upstream) -> None:
        self.workspace = workspace
        self.url = url
        self.one = one
        self.two = two
        self.client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)

    async def ask(self, model: str, **options: Any) -> Any:
        return await self.client.chat.completions.with_raw_response.create(model=model, messages=HI, **options)

    async def read(self, model: str, **options: Any) -> tuple[str, list[Any], Any]:
        """Text, chunks and headers of a streamed reply."""
        raw = await self.ask(model, stream=True, **options)
        chunks = [chunk async for chunk in raw.parse()]
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks, raw.headers

    async def spans(self) -> list[dict[str, Any]]:
        """What is on record, oldest first."""
        await self.workspace.calling.together.drain()
        await asyncio.gather(*self.workspace.calling.mirror._running)
        async with httpx.AsyncClient(base_url=self.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            return list(reversed((await client.get("/api/traces")).json()))

    async def metric(self, name: str, **labels: str) -> float:
        """Sum of what ``/metrics`` has under this name with these labels."""
        async with httpx.AsyncClient(base_url=self.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            page = (await client.get("/metrics")).text
        samples = [one for family in text_string_to_metric_families(page) for one in family.samples]
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


@contextlib.asynccontextmanager
async def opened(
    folder: Path, *, provider: dict[str, Any] | None = None, others: dict[str, Provider] | None = None, **settings: Any
) -> AsyncIterator[Two]:
    async with (
        upstream.serving(lambda _: answer("one")) as one,
        upstream.serving(lambda _: answer("two")) as two,
    ):
        providers = {
            name: Provider(base_url=up.base_url, **({"attempts": 1} | (provider or {})))
            for name, up in (("one", one), ("two", two))
        }
        chosen = Settings(data=str(folder / "data"), providers=providers | (others or {}), **settings)
        async with (
            open_workspace(chosen, {"NORIA_API_KEY": KEY}, holder="a test") as workspace,
            serving(workspace, bind("127.0.0.1", 0), Access(workspace.key)) as (running, _),
        ):
            made = Two(workspace, running.url, one, two)
            async with made.client:
                yield made


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


SAFE = {"safe": Route(targets=("one/a", "two/b"))}


async def test_a_provider_that_is_down_is_not_seen(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE, aliases={"gpt": "safe"}) as noria:
        for script in ([CallFailed("Down.")], [CallRefused("Busy.", status=429)], [RESET]):
            noria.one.script = lambda _, script=script: script
            text, chunks, headers = await noria.read("safe")
            assert (text, chunks[-1].choices[0].finish_reason) == ("two", "stop")
            assert (headers["noria-route"], headers["noria-attempts"]) == ("safe", "2")
        raw = await noria.ask("gpt")
        assert raw.parse().choices[0].message.content == "two"
        assert raw.headers["noria-route"] == "gpt"
        assert [body["model"] for body in noria.two.bodies] == ["b"] * 4
        span = (await noria.spans())[1]
        assert (span["provider"], span["request_model"]) == ("two", "b")
        assert span["attributes"] == {
            "noria.route": "safe",
            "noria.attempts": [
                {"model": "one/a", "outcome": "call_refused", "status": 429},
                {"model": "two/b", "outcome": "ok"},
            ],
        }
        listed = [model.id async for model in noria.client.models.list()]
        assert listed[:2] == ["safe", "gpt"]


async def test_a_body_that_is_no_reply_is_asked_for_again(tmp_path: Path) -> None:
    garbled = ('{"id":"1","choices":[{"ind', '{"choices":"none"}', "<html>", "")
    async with opened(tmp_path, provider={"attempts": 2}) as noria:
        for body in garbled:
            bodies = iter([body])
            noria.one.script = lambda _, bodies=bodies: (
                [web.Response(text=once, content_type="application/json")]
                if (once := next(bodies, None)) is not None
                else answer("one")
            )
            assert (await noria.ask("one/a")).parse().choices[0].message.content == "one"
        tried = [span["attributes"]["noria.attempts"][0]["outcome"] for span in await noria.spans()]
        assert tried == ["call_garbled"] * len(garbled)
        noria.one.script = lambda _: [web.Response(text="{", content_type="application/json")]
        with pytest.raises(openai.InternalServerError) as caught:
            await noria.ask("one/a")
        assert (caught.value.status_code, caught.value.code) == (502, "call_garbled")
        assert caught.value.response.headers["x-should-retry"] == "true"


async def test_nobody_waits_for_one_model_where_another_can_answer(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE, provider={"attempts": 3}) as noria:
        noria.one.script = lambda _: [web.Response(status=429, headers={"Retry-After": "15"})]
        async with asyncio.timeout(10):
            assert (await noria.ask("safe")).parse().choices[0].message.content == "two"
        assert len(noria.one.bodies) == 1


async def test_the_last_failure_is_told_with_what_was_tried(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE) as noria:
        noria.one.script = lambda _: [CallFailed("Down.")]
        noria.two.script = lambda _: [CallRefused("Busy.", status=429, retry_after_s=7)]
        with pytest.raises(openai.RateLimitError) as caught:
            await noria.ask("safe")
        assert (caught.value.response.headers["noria-attempts"], len(noria.two.bodies)) == ("2", 1)
        noria.one.script = lambda _: [CallRefused("`n` is wrong.", status=400)]
        with pytest.raises(openai.BadRequestError, match="`n` is wrong"):
            await noria.ask("safe")
        assert len(noria.two.bodies) == 1


async def test_callers_are_told_who_failed_and_not_where_it_is(tmp_path: Path) -> None:
    nobody = Provider(base_url="http://127.0.0.1:1/v1", attempts=1)
    async with opened(tmp_path, others={"lab": nobody}) as noria:
        noria.one.script = lambda _: [*answer("The ", "wheel")[:3], CUT]
        for model, said in (
            ("lab/m", "Nothing answers at the address of provider `lab`"),
            ("one/a", "Provider `one` closed"),
        ):
            with pytest.raises(openai.APIError, match=said) as caught:
                await noria.read(model)
            assert "127.0.0.1" not in f"{caught.value} {caught.value.body}"
        messages = [span["error_message"] for span in await noria.spans()]
        assert [message.rpartition("Called at ")[2] for message in messages] == [
            f"{nobody.base_url}.",
            f"{noria.one.base_url}.",
        ]


async def test_a_cut_in_the_middle_ends_as_an_error_unless_the_caller_lets_another_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE) as noria:
        noria.one.script = lambda _: [*answer("The ", "wheel", model="m1")[:3], CUT]
        noria.two.script = lambda _: answer(" turns", model="m2")
        with pytest.raises(openai.APIError, match="closed the connection"):
            await noria.read("safe")
        text, chunks, _ = await noria.read("safe", extra_headers={"noria-may-continue": "true"})
        assert text == "The wheel turns"
        assert len({chunk.id for chunk in chunks}) == 1
        assert noria.two.bodies[0]["messages"] == [*HI, {"role": "assistant", "content": "The wheel"}]
        cut, whole = await noria.spans()
        assert (cut["status"], cut["error_type"], cut["output"][0]["content"]) == ("error", "call_cut", "The wheel")
        assert (whole["output"][0]["content"], whole["input"]) == ("The wheel turns", cut["input"])
        assert (whole["provider"], whole["attributes"]["noria.continued"]) == ("two", [9])

        async with (
            httpx.AsyncClient(base_url=noria.url, headers={"authorization": f"Bearer {KEY}"}) as client,
            client.stream(
                "POST",
                "/v1/chat/completions",
                headers={"noria-may-continue": "true"},
                json={"model": "safe", "messages": HI, "stream": True},
            ) as response,
        ):
            lines = [line async for line in response.aiter_lines() if line]
        assert ": noria-continued 9 two" in lines
        assert lines[-1] == "data: [DONE]"

        raw = await noria.ask(
            "safe", extra_headers={"noria-may-continue": "true"}
        )  # its whole body was cut: no beginning
        assert raw.parse().choices[0].message.content == " turns"


async def test_a_caller_that_goes_away_while_another_model_goes_on(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with opened(tmp_path, routes={"safe": Route(targets=("one/a", "two/b"), may_continue=True)}) as noria:
        noria.one.script = lambda _: [*answer("The ")[:2], CUT]
        noria.two.script = lambda _: [*answer("wheel")[:2], gate]
        stream = (await noria.ask("safe", stream=True)).parse()
        async for chunk in stream:
            if chunk.choices[0].delta.content == "wheel":
                break
        await stream.close()
        await asyncio.wait_for(noria.two.closed.wait(), 5)
        await until(lambda: not noria.workspace.calling.slots.taken)
        [span] = await noria.spans()
        assert (span["status"], span["output"][0]["content"]) == ("cancelled", "The wheel")


async def test_a_breaker_spares_a_provider_that_fails(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE, provider={"breaker_calls": 3, "breaker_open_s": 60.0}) as noria:
        noria.one.script = lambda _: [CallFailed("Down.")]
        for _ in range(5):
            assert (await noria.ask("safe")).parse().choices[0].message.content == "two"
        assert len(noria.one.bodies) == 3
        with pytest.raises(openai.InternalServerError) as caught:
            await noria.ask("one/a")
        assert (caught.value.status_code, caught.value.code) == (503, "breaker_open")
        assert 50 < int(caught.value.response.headers["retry-after"]) <= 60
        assert caught.value.response.headers["noria-attempts"] == "0"
        assert (await noria.spans())[4]["attributes"]["noria.attempts"][0]["outcome"] == "breaker_open"
        assert noria.workspace.numbers()["noria_breakers_open"] == 1
        [refused] = (await noria.spans())[5:]
        assert (refused["status"], refused["attributes"]["noria.refused_by"]) == ("error", "breaker")
        assert await noria.metric("noria_calls_refused_total", by="breaker") == 1
        assert await noria.metric(DURATIONS, error_type="breaker_open") == 0, "nobody failed at it"


async def test_a_call_that_one_model_failed_at_and_the_other_s_breaker_ended_has_failed(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE, provider={"breaker_calls": 3, "breaker_open_s": 60.0}) as noria:
        noria.one.script = noria.two.script = lambda _: [CallFailed("Down.")]
        for model in ("two/b", "two/b", "two/b", "safe"):
            with pytest.raises(openai.InternalServerError) as caught:
                await noria.ask(model)
        assert (caught.value.code, caught.value.response.headers["noria-attempts"]) == ("breaker_open", "1")
        assert "noria.refused_by" not in (await noria.spans())[-1]["attributes"]


async def test_a_price_above_the_ceiling_is_not_paid(tmp_path: Path) -> None:
    priced = Provider(base_url="http://127.0.0.1:9/v1")
    async with opened(tmp_path, aliases={"mini": "openai/gpt-4o-mini"}) as noria:
        noria.workspace.calling.answers.configure(
            Settings(providers={"openai": priced}, aliases={"mini": "openai/gpt-4o-mini"})
        )
        for model in ("mini", "openai/gpt-4o-mini"):
            with pytest.raises(openai.BadRequestError, match="may cost") as caught:
                await noria.ask(model, extra_headers={"noria-max-cost-usd": "0.0000001"}, max_tokens=100)
            assert caught.value.code == "too_expensive"
        with pytest.raises(openai.InternalServerError, match="Nothing answers"):  # cheap enough, so it was called
            await noria.ask("mini", extra_headers={"noria-max-cost-usd": "1"}, max_tokens=100)
        with pytest.raises(openai.BadRequestError, match="no amount of US dollars"):
            await noria.ask("mini", extra_headers={"noria-max-cost-usd": "cheap"})


async def test_an_app_whose_variant_is_a_route_falls_over_too(tmp_path: Path) -> None:
    async with opened(tmp_path, routes=SAFE) as noria:
        apps = noria.workspace.catalogue.apps
        apps.put("triage")
        made = noria.workspace.variants.make(model="safe", prompt=None, params=Parameters(temperature=0))
        named = apps.add_variant("triage", "plain", made, by="a test")
        apps.release("triage", [Share(variant_id=named.variant_id)], by="a test")
        noria.one.script = lambda _: [CallFailed("Down.")]
        raw = await noria.ask("triage")
        assert raw.parse().choices[0].message.content == "two"
        assert (raw.headers["noria-variant-id"], raw.headers["noria-route"]) == (named.variant_id, "safe")
        assert noria.two.bodies[0]["temperature"] == 0
        [span] = await noria.spans()
        assert (span["lineage"]["app"], span["request_model"]) == ("triage", "b")


async def test_a_user_keeps_a_model_of_a_weighted_route(tmp_path: Path) -> None:
    route = Route(targets=("one/a", "two/b"), policy="weighted", weights=(1, 1), sticky="user")
    async with opened(tmp_path, routes={"half": route}) as noria:
        said = {}
        for user in [*"abcdefgh"] * 2:
            text = (await noria.ask("half", user=user)).parse().choices[0].message.content
            assert said.setdefault(user, text) == text
        assert set(said.values()) == {"one", "two"}


async def test_too_many_calls_are_turned_away_at_once_and_the_others_answered(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with opened(tmp_path, max_calls=2, max_waiting=1) as noria:
        noria.one.script = lambda _: [gate, *answer("yes")]
        calls = []
        for running in (1, 2, 2):
            calls.append(asyncio.create_task(noria.ask("one/a")))
            await until(
                lambda: noria.workspace.calling.slots.taken + noria.workspace.calling.slots.waiting == len(calls)
            )
            assert noria.workspace.calling.slots.taken == running
        with pytest.raises(openai.InternalServerError, match="2 calls under way") as caught:
            await noria.ask("one/a")
        assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
        assert caught.value.response.headers["retry-after"] == "1"
        assert (await noria.client.models.list()).data == []
        gate.set()
        assert [(await call).parse().choices[0].message.content for call in calls] == ["yes"] * 3
        assert noria.workspace.numbers()["noria_calls_shed_total"] == 1


async def test_a_provider_with_few_places_overflows_into_the_next(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with opened(tmp_path, routes=SAFE, provider={"max_calls": 1, "max_waiting": 0}) as noria:
        noria.one.script = lambda _: [gate, *answer("one")]
        first = asyncio.create_task(noria.ask("safe"))
        await until(lambda: noria.one.bodies)
        raw = await noria.ask("safe")
        assert (raw.parse().choices[0].message.content, raw.headers["noria-attempts"]) == ("two", "1"), (
            "one was not asked"
        )
        with pytest.raises(openai.InternalServerError) as caught:
            await noria.ask("one/a")
        assert (caught.value.code, caught.value.response.headers["noria-attempts"]) == ("overloaded", "0")
        gate.set()
        assert (await first).parse().choices[0].message.content == "one"
        assert [span["attributes"].get("noria.refused_by") for span in await noria.spans()] == [None, None, "places"]
        assert await noria.metric("noria_calls_refused_total", by="places") == 1
        assert await noria.metric(DURATIONS, error_type="overloaded") == 0, "nobody failed at it"


async def test_a_routes_shadow_is_on_record_and_nowhere_else(tmp_path: Path) -> None:
    async with opened(tmp_path, routes={"r": Route(targets=("one/a",), shadows={"two/b": 1.0})}) as noria:
        noria.two.script = lambda _: [CallFailed("Down.")]
        assert (await noria.ask("r")).parse().choices[0].message.content == "one"
        live, shadow = sorted(await noria.spans(), key=lambda span: span.get("parent_id") or "")
        assert (live["provider"], shadow["provider"], shadow["status"]) == ("one", "two", "error")
        assert (shadow["trace_id"], shadow["parent_id"]) == (live["trace_id"], live["span_id"])
        assert shadow["attributes"]["noria.shadow_of"] == "r"


async def test_a_target_whose_key_is_missing_leaves_the_others(tmp_path: Path) -> None:
    async with opened(tmp_path, routes={"r": Route(targets=("openai/gpt-4o", "two/b"))}) as noria:
        assert "OPENAI_API_KEY" not in noria.workspace.calling.answers._environ
        raw = await noria.ask("r")
        assert raw.parse().choices[0].message.content == "two"
        assert (await noria.spans())[0]["attributes"]["noria.attempts"][0] == {
            "model": "openai/gpt-4o",
            "outcome": "unavailable",
            "asked": False,
        }
