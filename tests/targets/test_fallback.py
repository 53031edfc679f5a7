"""A chain of models: a failure before the answer is nobody's business, one in its middle is told or gone on from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from noria.core.errors import (
    BreakerOpen,
    CallCut,
    CallFailed,
    CallRefused,
    CallTimeout,
    InvalidInput,
    NoriaError,
    Overloaded,
    TooExpensive,
)
from noria.core.events import Delta, Raw, Sent, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request
from noria.core.spans import Span
from noria.targets.capped import Capped
from noria.targets.fallback import Fallback, Member
from noria.targets.ordering import as_listed
from noria.targets.recording import random_ids, recorded_call
from noria.targets.retrying import Retrying
from noria.targets.scripted import Scripted, Step, answer

from .contract import ASK, events_until_error

BUSY = CallRefused("Busy.", status=429, retryable=True, retry_after_s=1)
CUT = CallCut("Cut.")


def chain(*scripts: Sequence[Step], **options: Any) -> tuple[Fallback, list[Scripted]]:
    """A route over models p0/m, p1/m ... each with its script."""
    models = [Scripted(lambda _, script=script: script, provider=f"p{i}") for i, script in enumerate(scripts)]
    members = [Member(f"p{i}/m", model) for i, model in enumerate(models)]
    return Fallback("safe", members, as_listed(len(members)), **options), models


async def span_of(target: Fallback, request: Request = ASK) -> Span:
    span, _ = await recorded_call(target, request, now=lambda: 0, new_ids=random_ids, price=lambda _: None)
    return span


@pytest.mark.parametrize(
    "error",
    [
        BUSY,
        CallFailed("Down.", retryable=True),
        CallFailed("It does not speak HTTP."),
        CallTimeout("Late."),
        CUT,
        BreakerOpen("Open."),
        Overloaded("Full."),
        TooExpensive("Too dear."),
        CallRefused("Wrong key.", status=401),
        CallRefused("No credit.", status=402),
        CallRefused("No such model.", status=404),
        CallRefused("Quota used up.", status=429),
    ],
    ids=str,
)
async def test_a_failure_before_the_answer_falls_over_and_leaves_no_trace_in_it(error: NoriaError) -> None:
    target, models = chain([Started(id="lost"), error], answer("yes"))
    seen, raised = await events_until_error(target.call(ASK))
    assert raised is None
    assert [event.id for event in seen if isinstance(event, Started)] == ["reply-1"]
    assert models[1].requests[0].model == "p1/m"
    span = await span_of(target)
    assert (span.provider, span.request_model, span.attributes["noria.route"]) == ("p1", "m", "safe")
    first, last = span.attributes["noria.attempts"]
    assert (first["model"], first["outcome"], last) == ("p0/m", error.code, {"model": "p1/m", "outcome": "ok"})


@pytest.mark.parametrize("error", [CallRefused("Bad.", status=400), CallRefused("Big.", status=422), InvalidInput("n")])
async def test_a_mistake_of_the_caller_is_told_to_the_caller(error: NoriaError) -> None:
    target, models = chain([error], answer("never"))
    _, raised = await events_until_error(target.call(ASK))
    assert raised is error
    assert models[1].requests == []


@pytest.mark.parametrize(
    "words",
    [
        "context_length_exceeded: at most 8192",
        "the request exceeds the available context size",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
async def test_a_prompt_that_is_too_long_goes_to_a_larger_model_where_the_route_says_so(words: str) -> None:
    error = CallRefused(words, status=400)
    target, _ = chain([error], answer("yes"), also=frozenset({"too_long"}))
    assert (await collect(target.call(ASK))).text == "yes"
    target, _ = chain([CallRefused("Bad field.", status=400)], answer("never"), also=frozenset({"too_long"}))
    with pytest.raises(CallRefused):
        await collect(target.call(ASK))
    target, _ = chain([InvalidInput("`n` can't be carried.")], answer("yes"), also=frozenset({"refused"}))
    assert (await collect(target.call(ASK))).text == "yes"


async def test_the_last_error_is_raised_and_every_attempt_is_on_record() -> None:
    target, _ = chain([BUSY], [CallTimeout("Late.")], [CallFailed("Down.", retryable=True)])
    span = await span_of(target)
    assert (span.status, span.error_type) == ("error", "call_failed")
    assert span.attributes["noria.attempts"] == [
        {"model": "p0/m", "outcome": "call_refused", "status": 429},
        {"model": "p1/m", "outcome": "call_timeout", "status": 504},
        {"model": "p2/m", "outcome": "call_failed"},
    ]
    assert target.fallen == 2


async def test_retries_within_and_routes_within_routes_are_one_trail() -> None:
    scripts = iter([[BUSY], [BUSY], [CUT]])

    async def sleep(_: float) -> None: ...

    inner = Retrying(Scripted(lambda _: next(scripts), provider="a"), attempts=3, sleep=sleep, random=lambda: 0.0)
    dead = Scripted(lambda _: [CallTimeout("Late.")], provider="b")
    nested = Fallback("inner", [Member("a/x", inner), Member("b/y", dead)], as_listed(2))
    last = Scripted(lambda _: answer("yes"), provider="c")
    outer = Fallback("outer", [Member("inner", nested), Member("c/z", last)], as_listed(2))
    span = await span_of(outer)
    assert span.attributes["noria.route"] == "outer"
    assert [(entry["model"], entry["outcome"], entry.get("wait_s")) for entry in span.attributes["noria.attempts"]] == [
        ("a/x", "call_refused", 1.0),
        ("a/x", "call_refused", 1.0),
        ("a/x", "call_cut", None),
        ("b/y", "call_timeout", None),
        ("c/z", "ok", None),
    ]
    assert (span.request_model, span.output_text) == ("z", "yes")


async def test_after_the_first_piece_a_failure_is_passed_on() -> None:
    target, models = chain([*answer("Hel")[:2], CUT], answer("never"))
    seen, raised = await events_until_error(target.call(ASK))
    assert [event.text for event in seen if isinstance(event, Delta)] == ["Hel"]
    assert raised is CUT
    assert models[1].requests == []


async def test_a_ceiling_skips_what_is_too_dear_and_the_lower_one_counts() -> None:
    prices = {"p0/m": 0.5, "p1/m": None, "p2/m": 0.1}
    models = {name: Scripted(lambda _, name=name: answer(name), provider=name[:2]) for name in prices}
    capped = [
        Member(name, Capped(model, provider=name[:2], estimate=lambda request: prices[request.model]))
        for name, model in models.items()
    ]
    route = Fallback("r", capped, as_listed(3), max_cost_usd=0.2)
    assert (await collect(route.call(ASK))).text == "p2/m"
    span = await span_of(route)
    assert [entry["outcome"] for entry in span.attributes["noria.attempts"]] == ["too_expensive", "too_expensive", "ok"]
    with pytest.raises(TooExpensive, match=r"p2/m may cost 0\.1.*the ceiling is 0\.05"):
        await collect(route.call(msgspec.structs.replace(ASK, max_cost_usd=0.05)))
    assert (await collect(Fallback("r", capped, as_listed(3)).call(ASK))).text == "p0/m"


# -- going on ---------------------------------------------------------------------------------------------------------

MAY = msgspec.structs.replace(ASK, may_continue=True)


async def test_another_model_goes_on_where_the_first_broke_off() -> None:
    rest = [
        Started(id="second", model="other"),
        Delta(text="  wheel"),
        Stopped(),
        Used(usage=Usage(input_tokens=9, output_tokens=1)),
    ]
    target, models = chain([Started(id="first", model="one"), Delta(text="The "), Delta(text="water \n"), CUT], rest)
    seen, raised = await events_until_error(target.call(MAY))
    assert raised is None
    assert [event.id for event in seen if isinstance(event, Started)] == ["first"]
    assert "".join(event.text for event in seen if isinstance(event, Delta)) == "The water \nwheel"
    assert models[1].requests[0].messages == (*ASK.messages, Message(role="assistant", content="The water"))
    seam = [event for event in seen if isinstance(event, Sent)][-1]
    assert (seam.continues, seam.provider) == (11, "p1")

    span = await span_of(target, MAY)
    assert (span.status, span.output_text, span.input) == ("ok", "The water \nwheel", ASK.messages)
    assert (span.provider, span.request_model, span.response_model) == ("p1", "m", None)
    assert span.request_id is None  # no cache may take this for the second model's own answer
    assert span.attributes["noria.continued"] == [11]
    assert [entry["outcome"] for entry in span.attributes["noria.attempts"]] == ["call_cut", "ok"]


async def test_a_third_model_goes_on_from_everything_that_was_said() -> None:
    target, models = chain(
        [Delta(text="a"), CUT], [BUSY], [Delta(text="b"), CallTimeout("Late.")], answer("c"), may_continue=True
    )
    reply = await collect(target.call(ASK))
    assert reply.text == "abc"
    assert [model.requests[0].messages[1:] for model in models] == [
        (),
        (Message(role="assistant", content="a"),),
        (Message(role="assistant", content="a"),),
        (Message(role="assistant", content="ab"),),
    ]
    span = await span_of(target)
    assert span.attributes["noria.continued"] == [2]
    assert (span.attributes["noria.attempts"][-1], len(span.attributes["noria.attempts"])) == (
        {"model": "p3/m", "outcome": "ok"},
        4,
    )


async def test_no_raw_bytes_of_two_providers_in_one_reply() -> None:
    raw = Raw(wire="w", data=b"data: ...", events=(Started(id="x"), Delta(text="Hel")))
    ask = msgspec.structs.replace(MAY, wire="w")
    target, _ = chain([raw, CUT], answer("lo"))
    seen, raised = await events_until_error(target.call(ask))
    assert raised is None
    assert not any(isinstance(event, Raw) for event in seen)
    plain, _ = chain([raw, Stopped()], answer("lo"))
    seen, _ = await events_until_error(plain.call(msgspec.structs.replace(ASK, wire="w")))
    assert raw in seen


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, Delta(tool_calls=(ToolCallDelta(index=0, id="1", name="f"),))),
        ({}, Delta(reasoning="hm", thought=ThoughtDelta(signature="x"))),
        ({}, Delta(reasoning="hm")),
        ({}, Delta(refusal="No.")),
        ({}, Stopped()),
        ({"params": Parameters(response_schema={"type": "object"})}, Delta(text="{")),
        ({"params": Parameters(logprobs=0)}, Delta(text="a")),
        ({"n": 2}, Delta(text="a")),
    ],
)
async def test_what_is_not_plain_text_is_not_gone_on_from(change: dict[str, Any], said: Step) -> None:
    target, models = chain([Delta(text="So "), said, CUT], answer("never"))
    seen, raised = await events_until_error(target.call(msgspec.structs.replace(MAY, **change)))
    assert raised is CUT
    assert said in seen
    assert models[1].requests == []


async def test_a_caller_that_goes_away_ends_the_call_that_is_under_way() -> None:
    gate = asyncio.Event()
    target, models = chain([Delta(text="a"), CUT], [Delta(text="b"), gate])
    spans: list[Span] = []
    heard = asyncio.Event()

    class Heard(Scripted):
        async def call(self, request: Request) -> Any:
            async for event in target.call(request):
                yield event
                if event == Delta(text="b"):
                    heard.set()

    async def call() -> None:
        await recorded_call(
            Heard(lambda _: ()), MAY, now=lambda: 0, new_ids=random_ids, price=lambda _: None, cut=spans.append
        )

    task = asyncio.create_task(call())
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        await models[1].closed.wait()
    [span] = spans
    assert (span.status, span.output_text, span.attributes["noria.continued"]) == ("cancelled", "ab", [1])
    assert [entry["outcome"] for entry in span.attributes["noria.attempts"]] == ["call_cut", "cancelled"]
