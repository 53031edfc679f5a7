"""Tools that must be called, on an engine that only knows JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from noria.core.errors import CallFailed, InvalidInput
from noria.core.events import Sent
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Lineage, Parameters, Request, Tool, request_id
from noria.targets.forced import Forced
from noria.targets.scripted import Scripted, answer

from .contract import events_until_error

WEATHER = Tool(
    name="weather",
    description="The weather now",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = Tool(name="clock")
ASK = Request(
    model="m",
    messages=(Message(role="system", content="Be kind."), Message(role="user", content="Is it cold in Oslo?")),
    tools=(WEATHER, CLOCK),
    tool_choice="required",
    params=Parameters(temperature=0.0, stop=("\n",)),
    lineage=Lineage(model_id="model_1"),
)


async def test_the_reply_is_a_call() -> None:
    target = Scripted(lambda _: answer('{"name":"weather",', '"arguments":{"city": "Oslo"}}'))
    reply = await collect(Forced(target).call(ASK))
    [choice] = reply.choices
    [call] = choice.message.tool_calls
    assert (call.name, call.arguments, choice.finish_reason) == ("weather", '{"city": "Oslo"}', "tool_calls")
    assert choice.message.text == ""
    assert call.id.startswith("call_")
    assert reply.usage is not None


async def test_the_engine_is_bound_to_the_schema_of_a_call() -> None:
    target = Scripted(lambda _: answer('{"name":"clock","arguments":{}}'))
    await collect(Forced(target).call(ASK))
    [inside] = target.requests
    assert (inside.tools, inside.tool_choice, inside.params.stop) == ((), None, ())
    schema: Any = inside.params.response_schema
    assert [option["properties"]["name"]["const"] for option in schema["anyOf"]] == ["weather", "clock"]
    assert schema["anyOf"][0]["properties"]["arguments"] == WEATHER.parameters
    assert inside.messages[0].text.startswith("Be kind.\n\n")
    assert json.dumps("The weather now") in inside.messages[0].text
    assert inside.messages[1:] == ASK.messages[1:]


async def test_one_named_function_is_the_only_choice() -> None:
    target = Scripted(lambda _: answer('{"name":"clock","arguments":{}}'))
    named = Request(model="m", tools=(WEATHER, CLOCK), tool_choice={"type": "function", "function": {"name": "clock"}})
    await collect(Forced(target).call(named))
    schema: Any = target.requests[0].params.response_schema
    assert schema["properties"]["name"] == {"const": "clock"}


async def test_on_record_is_what_was_asked() -> None:
    seen, _ = await events_until_error(Forced(Scripted(lambda _: answer('{"name":"clock","arguments":{}}'))).call(ASK))
    sent = next(event for event in seen if isinstance(event, Sent))
    assert (sent.request.tools, sent.request.tool_choice, sent.request.messages) == (
        ASK.tools,
        "required",
        ASK.messages,
    )
    assert sent.request_id == request_id(ASK)
    assert sent.emulated == ("tool_choice",)


@pytest.mark.parametrize("choice", [None, "auto", "none"])
async def test_nothing_else_is_touched(choice: str | None) -> None:
    target = Scripted(lambda _: answer("hi"))
    ask = Request(model="m", tools=(WEATHER,), tool_choice=choice)
    assert (await collect(Forced(target).call(ask))).text == "hi"
    assert target.requests == [ask]


@pytest.mark.parametrize(("reason", "again"), [("stop", True), ("length", False)])
async def test_a_reply_that_is_no_call_fails(reason: str, again: bool) -> None:
    _, error = await events_until_error(Forced(Scripted(lambda _: answer('{"name":', reason=reason))).call(ASK))
    assert isinstance(error, CallFailed)
    assert error.retryable is again


async def test_a_tool_that_is_not_there_is_refused() -> None:
    for changed in (
        Request(model="m", tools=(CLOCK,), tool_choice={"type": "function", "function": {"name": "weather"}}),
        Request(model="m", tool_choice="required"),
    ):
        with pytest.raises(InvalidInput):
            await collect(Forced(Scripted(lambda _: answer("x"))).call(changed))
