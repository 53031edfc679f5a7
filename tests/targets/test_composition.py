"""A served app is one expression, read from outside in; one call of it is one record that knows everything."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from noria.core.apps import Variant
from noria.core.errors import CallRefused, UnknownName
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.prompts import Block, Prompt, Variable
from noria.core.protocols import Target
from noria.core.replies import Usage
from noria.core.requests import Lineage, Parameters, Request
from noria.core.spans import Span
from noria.targets.cached import Cached
from noria.targets.egress import Egress
from noria.targets.pricing import price_of
from noria.targets.prompted import Prompted
from noria.targets.recorded import Recorded
from noria.targets.released import Released
from noria.targets.remote import Remote
from noria.targets.retrying import Retrying
from noria.targets.routed import Routed
from noria.targets.scripted import answer
from noria.targets.variant import AsVariant
from noria.wires.openai_chat import OpenAIChat

from .clock import Numbered, Ticking
from .keeping import keeping
from .upstream import serving

PROMPT = Prompt(
    blocks=(Block(role="system", template="Answer yes or no."), Block(role="user", template="{question}?")),
    variables={"question": Variable()},
)
VARIANT = Variant(model="openai/gpt-4o", prompt_id=PROMPT.id, params=Parameters(temperature=0, max_tokens=5))
CALL = Request(
    model="boolq",
    messages=(Message(role="user", content="Is water wet"),),
    params=Parameters(temperature=1.5, seed=3),
    lineage=Lineage(user_id="ann", session_id="talk-1"),
)


def render(prompt: Prompt, variables: Mapping[str, Any], _: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(
        Message(role=b.role, content=b.template.format(**variables)) for b in prompt.blocks if b.role != "conversation"
    )


async def test_one_call_of_an_app_is_one_record_that_knows_everything(egress: Egress) -> None:
    clock, spans, waits = Ticking(), list[Span](), list[float]()

    async def lookup(request_id: str) -> Span | None:
        return next((span for span in spans if span.request_id == request_id and not span.cached), None)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    class Slow(Remote):
        """Moves the clock when events come, so that timings are known."""

        async def call(self, request: Request) -> Any:
            async for event in super().call(request):
                yield event
                clock.tick(0.25)

    attempts = iter(
        [
            [CallRefused("Slow down.", status=429)],
            answer("y", "e", "s", model="gpt-4o", usage=Usage(input_tokens=20, output_tokens=3)),
        ]
    )
    async with serving(lambda _: next(attempts)) as upstream:

        def resolve(name: str) -> Target:
            if name != "boolq":
                raise UnknownName(f"There is no app or model `{name}`.")
            return app

        remote = Slow(egress, OpenAIChat(), base_url=upstream.base_url, api_key="k", provider="openai")
        app = Released(
            "boolq",
            [
                (
                    AsVariant(
                        Prompted(
                            Cached(
                                Retrying(remote, sleep=sleep, random=random.random), lookup, server=upstream.base_url
                            ),
                            PROMPT,
                            PROMPT.id,
                            render,
                        ),
                        VARIANT,
                        VARIANT.id,
                    ),
                    1.0,
                )
            ],
            "release_1",
        )
        gateway = Recorded(Routed(resolve), keeping(spans), now=clock, new_ids=Numbered(), price=price_of)

        reply = await collect(gateway.call(CALL))
        again = await collect(gateway.call(CALL))
        with pytest.raises(UnknownName):
            await collect(gateway.call(Request(model="nobody")))

    assert (reply.text, reply.complete, len(waits)) == ("yes", True, 1)
    assert upstream.bodies[1] == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Answer yes or no."}, {"role": "user", "content": "Is water wet?"}],
        "temperature": 0,
        "seed": 3,
        "max_tokens": 5,
        "user": "ann",
        "stream": True,
        "stream_options": {"include_usage": True},
    }

    span, replayed, unknown = spans
    assert [message.text for message in span.input] == ["Answer yes or no.", "Is water wet?"]
    assert [message.text for message in span.output] == ["yes"]
    assert (span.name, span.status, span.provider, span.request_model, span.response_model) == (
        "chat openai/gpt-4o",
        "ok",
        "openai",
        "gpt-4o",
        "gpt-4o",
    )
    assert span.variables == {"question": "Is water wet"}
    assert span.params == {"temperature": 0, "seed": 3, "max_tokens": 5}
    assert span.lineage == Lineage(
        app="boolq",
        variant_id=VARIANT.id,
        prompt_id=PROMPT.id,
        release_id="release_1",
        session_id="talk-1",
        user_id="ann",
    )
    assert span.attributes == {
        "noria.params_ignored": ["temperature"],
        "noria.attempts": [
            {"model": "openai/gpt-4o", "outcome": "call_refused", "status": 429, "wait_s": round(waits[0], 3)},
            {"model": "openai/gpt-4o", "outcome": "ok"},
        ],
    }
    assert (span.input_tokens, span.output_tokens, span.finish_reasons) == (20, 3, ("stop",))
    assert span.cost_usd == pytest.approx(20 * 2.5e-6 + 3 * 10e-6)
    assert (span.ttft_s, span.tpot_s) == (pytest.approx(0.5), pytest.approx(0.25))  # Sent, Started, then three pieces
    assert span.duration_s > 1.0
    assert span.request_id is not None

    assert again.text == "yes"
    assert len(upstream.bodies) == 2
    assert (replayed.cached, replayed.request_id, replayed.ttft_s, replayed.tpot_s) == (
        True,
        span.request_id,
        span.ttft_s,
        span.tpot_s,
    )
    assert replayed.attributes["noria.replayed.span"] == f"{span.trace_id}/{span.span_id}"
    assert (replayed.duration_s, replayed.cost_usd) == (span.duration_s, span.cost_usd)
    assert (unknown.status, unknown.error_type, unknown.request_model) == ("error", "unknown_name", "nobody")
