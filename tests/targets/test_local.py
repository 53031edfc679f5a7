"""A local engine as a target."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import pytest

from noria.core.errors import CallCut, CallFailed, CallRefused, EngineFailed
from noria.core.events import Sent
from noria.core.folding import collect
from noria.core.protocols import Endpoint, EngineStatus
from noria.core.requests import Lineage, Request, ToEmbed, ToRank
from noria.targets.local import Local
from noria.targets.scripted import Scripted, Step, answer

from .contract import ASK, events_until_error

HERE = Endpoint(base_url="http://127.0.0.1:1/v1", model="smol", api_key="k")


class Engine:
    """An engine that can't start, crashes at once, or is well."""

    def __init__(self, *, starts: bool = True, crash: EngineFailed | None = None) -> None:
        self.starts = 0
        self._can = starts
        self._crash = crash

    async def start(self) -> Endpoint:
        self.starts += 1
        if not self._can:
            raise EngineFailed("This processor lacks AVX2.")
        return HERE

    async def stop(self) -> None: ...

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        assert endpoint == HERE
        if self._crash is None:
            await asyncio.Event().wait()
        assert self._crash
        return self._crash

    def status(self) -> EngineStatus:
        return EngineStatus(state="ready")


def local(engine: Engine, steps: Sequence[Step]) -> tuple[Local, list[Endpoint]]:
    endpoints: list[Endpoint] = []

    def make(endpoint: Endpoint) -> Scripted:
        endpoints.append(endpoint)
        return Scripted(lambda _: steps)

    return Local(engine, make, model_id="model_1"), endpoints


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request(model="local/m", embed=ToEmbed(inputs=("a",))), "other things than to give vectors.*--pooling mean"),
        (Request(model="local/m", rank=ToRank(query="a", documents=("b",))), "other things than to rank.*reranker"),
    ],
)
async def test_weights_that_can_not_do_it_are_the_callers_mistake(request_: Request, sentence: str) -> None:
    refusal = CallRefused("This server does not support it. Start it with `--embeddings`", status=501)
    target, _ = local(Engine(), [refusal])
    _, error = await events_until_error(target.call(request_))
    assert isinstance(error, CallRefused)
    assert (error.status, error.retryable) == (400, False)
    assert re.search(sentence, f"{error} {error.hint}")


async def test_the_engine_starts_with_the_first_call_and_answers() -> None:
    engine = Engine()
    target, endpoints = local(engine, answer("hi"))
    assert engine.starts == 0
    reply = await collect(target.call(ASK))
    assert (engine.starts, endpoints, reply.text) == (1, [HERE], "hi")


async def test_the_set_up_is_stamped_unless_the_request_knows_better() -> None:
    target, _ = local(Engine(), answer("hi"))
    for request, expected in ((ASK, "model_1"), (type(ASK)(model="m", lineage=Lineage(model_id="mine")), "mine")):
        seen, _error = await events_until_error(target.call(request))
        assert {event.request.lineage.model_id for event in seen if isinstance(event, Sent)} == {expected}


async def test_an_engine_that_cannot_start_says_why_after_sent() -> None:
    target, endpoints = local(Engine(starts=False), answer("hi"))
    seen, error = await events_until_error(target.call(ASK))
    assert [(type(event), event.provider) for event in seen if isinstance(event, Sent)] == [(Sent, "local")]
    assert isinstance(error, EngineFailed)
    assert endpoints == []


async def test_a_call_broken_by_a_crash_fails_as_a_crash() -> None:
    target, _ = local(Engine(crash=EngineFailed("Killed by signal 11.")), [*answer("Hel")[:2], CallCut("Reset.")])
    with pytest.raises(EngineFailed, match="signal 11") as raised:
        await collect(target.call(ASK))
    assert raised.value.retryable


@pytest.mark.parametrize("error", [CallRefused("Too long.", status=400), CallFailed("Odd.", retryable=True)])
async def test_a_failure_of_a_healthy_engine_is_its_own(error: CallFailed) -> None:
    target, _ = local(Engine(), [error])
    with pytest.raises(CallFailed) as raised:
        await collect(target.call(ASK))
    assert raised.value is error


async def test_the_engines_memory_is_part_of_the_record() -> None:
    class Measured(Engine):
        def status(self) -> EngineStatus:
            return EngineStatus(state="ready", peak_rss_bytes=1 << 20)

    requests: list[Request] = []

    def make(_: Endpoint) -> Scripted:
        return Scripted(lambda request: requests.append(request) or answer("yes"))

    await collect(Local(Measured(), make).call(ASK))
    assert requests[0].attributes == {"noria.engine.peak_rss_bytes": 1 << 20}
