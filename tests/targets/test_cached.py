"""Earlier replies instead of calls."""

from __future__ import annotations

import msgspec
import pytest

from noria.core.events import Sent
from noria.core.folding import collect
from noria.core.messages import Message, ToolCall
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request, request_id
from noria.core.spans import Span
from noria.targets.cached import Cached
from noria.targets.scripted import Scripted, answer

from .contract import ASK, events_until_error

EARLIER = Span(
    trace_id="t" * 32,
    span_id="s" * 16,
    name="chat p/m",
    start_ns=0,
    end_ns=2_000_000_000,
    provider="p",
    response_model="m-1",
    output=(Message(role="assistant", content="yes", tool_calls=(ToolCall(id="c", name="f", arguments="{}"),)),),
    finish_reasons=("stop",),
    input_tokens=7,
    output_tokens=3,
    cached_tokens=2,
    ttft_s=0.5,
    tpot_s=0.25,
)


def cached(span: Span | None) -> tuple[Cached, Scripted, list[str]]:
    inner, asked = Scripted(lambda _: answer("fresh")), []

    async def lookup(id: str) -> Span | None:
        asked.append(id)
        return span

    return Cached(inner, lookup), inner, asked


async def test_an_earlier_answer_is_replayed() -> None:
    target, inner, asked = cached(EARLIER)
    seen, _ = await events_until_error(target.call(ASK))
    reply = await collect(target.call(ASK))
    assert inner.requests == []
    assert asked[0] == request_id(ASK)
    assert seen[0] == Sent(
        request=ASK,
        provider="p",
        request_id=request_id(ASK),
        streamed=True,
        replays=f"{'t' * 32}/{'s' * 16}",
        ttft_s=0.5,
        tpot_s=0.25,
        duration_s=2.0,
    )
    assert (reply.model, reply.choices[0].message, reply.choices[0].finish_reason) == ("m-1", EARLIER.output[0], "stop")
    assert reply.usage == Usage(input_tokens=7, output_tokens=3, cached_tokens=2)


@pytest.mark.parametrize(
    "span",
    [
        None,
        msgspec.structs.replace(EARLIER, status="error"),
        msgspec.structs.replace(EARLIER, status="cancelled"),
        msgspec.structs.replace(EARLIER, finish_reasons=()),
        msgspec.structs.replace(EARLIER, output=(), finish_reasons=()),
    ],
)
async def test_anything_but_a_complete_answer_is_called_anew(span: Span | None) -> None:
    target, _, _ = cached(span)
    assert (await collect(target.call(ASK))).text == "fresh"


async def test_log_probabilities_are_never_taken_from_a_record() -> None:
    target, _, asked = cached(EARLIER)
    assert (await collect(target.call(Request(model="m", params=Parameters(extra={"logprobs": True}))))).text == "fresh"
    assert asked == []


async def test_what_the_engine_took_for_the_earlier_answer_stays_known() -> None:
    attributes = {"noria.engine.peak_rss_bytes": 7, "team": "a"}
    target, _, _ = cached(msgspec.structs.replace(EARLIER, attributes=attributes))
    seen, _ = await events_until_error(target.call(msgspec.structs.replace(ASK, attributes={"mine": 1})))
    assert isinstance(seen[0], Sent)
    assert seen[0].request.attributes == {"mine": 1, "noria.engine.peak_rss_bytes": 7}
