"""JSON asked for in words: what a caller gets, and what it never gets."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from noria.core.errors import CallFailed, InvalidInput, NoriaError
from noria.core.events import Delta, Event, Raw, Sent, Started, Stopped, ToolCallDelta
from noria.core.folding import collect
from noria.core.messages import Citation
from noria.core.requests import Parameters, Request
from noria.scorers.schemas import reading
from noria.targets.checking import Checks
from noria.targets.retrying import Retrying
from noria.targets.scripted import Scripted, answer
from noria.targets.structured import Structured

from .contract import events_until_error

SCHEMA = {"type": "object", "properties": {"topic": {"enum": ["a", "b"]}}, "required": ["topic"]}
ASK = Request(model="m", params=Parameters(response_schema=SCHEMA))


def emulated(*steps: Event, names: tuple[str, ...] = ("response_schema",)) -> Iterable[Event]:
    return [Sent(request=ASK, provider="p", emulated=names), *steps]


READING = Checks(reading).reader


def asked(*steps: Event, names: tuple[str, ...] = ("response_schema",)) -> Structured:
    return Structured(Scripted(lambda _: emulated(*steps, names=names)), READING)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (['{"topic"', ': "a"}'], '{"topic": "a"}'),
        (["```json\n", '{"topic": "b"}\n', "```\n"], '{"topic": "b"}'),
        (['\n {"topic": "a"} \n'], '{"topic": "a"}'),
    ],
)
async def test_the_bare_json_is_passed_on_when_it_is_whole(pieces: list[str], text: str) -> None:
    seen, error = await events_until_error(asked(*answer(*pieces)).call(ASK))
    assert error is None
    assert [event.text for event in seen if isinstance(event, Delta)] == [text]
    assert [type(event).__name__ for event in seen] == ["Sent", "Started", "Delta", "Stopped", "Used"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Sure: a", "not JSON"),
        ('{"topic": "c"}', r"At \$.topic: 'c' is not one of"),
        ("", "The answer is empty"),
        ('Here you are: ```json\n{"topic": "a"}\n```', "not JSON"),
    ],
)
async def test_anything_else_fails_and_none_of_it_is_passed_on(text: str, sentence: str) -> None:
    seen, error = await events_until_error(asked(*answer(text)).call(ASK))
    assert isinstance(error, CallFailed)
    assert error.retryable
    with pytest.raises(CallFailed, match=sentence):
        raise error
    assert not any(isinstance(event, Delta | Stopped) for event in seen)


async def test_whoever_retries_asks_again() -> None:
    replies = iter([answer("no"), answer('{"topic": "a"}')])
    target = Scripted(lambda _: emulated(*next(replies)))

    async def at_once(_: float) -> None:
        return None

    again = Retrying(Structured(target, READING), sleep=at_once, random=lambda: 0.5)
    assert (await collect(again.call(ASK))).text == '{"topic": "a"}'
    assert len(target.requests) == 2


async def test_what_used_up_its_tokens_is_not_asked_again() -> None:
    _, error = await events_until_error(asked(*answer('{"to', reason="length")).call(ASK))
    assert isinstance(error, CallFailed)
    assert not error.retryable
    assert "max_tokens" in str(error)


async def test_bytes_never_go_past_the_check() -> None:
    raw = Raw(wire="w", data=b"untouched", events=tuple(answer("Sure!")))  # type: ignore[arg-type]  # all are content
    seen, error = await events_until_error(asked(raw).call(ASK))
    assert isinstance(error, CallFailed)
    assert not any(isinstance(event, Raw | Delta) for event in seen)


async def test_calls_thinking_and_refusals_flow() -> None:
    call = Delta(tool_calls=(ToolCallDelta(index=0, id="c", name="f", arguments="{}"),))
    steps = (Started(), Delta(reasoning="hm"), Delta(text="I look."), call, Stopped(reason="tool_calls"))
    reply = await collect(asked(*steps).call(ASK))
    message = reply.choices[0].message
    assert (message.text, message.reasoning, len(message.tool_calls)) == ("I look.", "hm", 1)
    refused = await collect(asked(*answer("I won't.", reason="content_filter")).call(ASK))
    assert refused.text == "I won't."


async def test_citations_move_with_the_text() -> None:
    steps = (
        Delta(text='```json\n{"topic": "a"}\n```', citations=(Citation(url="u", start=8, end=15),)),
        Stopped(),
    )
    [part] = (await collect(asked(*steps).call(ASK))).choices[0].message.content
    assert part.text[part.citations[0].start : part.citations[0].end] == '{"topic'


async def test_what_the_provider_holds_itself_streams() -> None:
    seen, _ = await events_until_error(asked(*answer('{"topic"', ': "a"}'), names=()).call(ASK))
    assert len([event for event in seen if isinstance(event, Delta)]) == 2


async def test_a_schema_that_need_not_bind_lets_everything_through() -> None:
    loose = msgspec.structs.replace(ASK, params=msgspec.structs.replace(ASK.params, response_strict=False))
    assert (await collect(asked(*answer("Sure!")).call(loose))).text == "Sure!"


async def test_any_object_where_no_schema_is_given() -> None:
    ask = Request(model="m", params=Parameters(response_json=True))
    target = asked(*answer("```\n{}\n```"), names=("response_json",))
    assert (await collect(target.call(ask))).text == "{}"
    _, error = await events_until_error(asked(*answer("[]"), names=("response_json",)).call(ask))
    assert "no object" in str(error)


def hostile() -> dict[str, Any]:
    """A check that doubles with every level."""
    twice = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    return {"$ref": "#/$defs/d0", "$defs": twice | {"d40": {"type": "object"}}}


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (hostile(), "could not be checked against the schema within"),
        ({"$ref": "http://127.0.0.1:1/x.json"}, "nothing is fetched"),
        ({"type": "objet"}, "The schema of the reply is wrong"),
        ({"$ref": "#"}, "nested deeper|within"),
        ({"patternProperties": {"(a|aa)+$": {}}}, "was not done with an answer"),
    ],
)
async def test_a_hostile_schema_ends_as_an_error_and_soon(
    schema: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.scorers.schemas.CHECK_TIMEOUT_S", 0.3)
    ask = Request(model="m", params=Parameters(response_schema=schema))
    started = time.process_time()
    key = "a" * 40 + "!"
    _, error = await events_until_error(asked(*answer(f'{{"{key}": 1}}')).call(ask))
    assert isinstance(error, NoriaError)
    with pytest.raises(NoriaError, match=sentence):
        raise error
    assert time.process_time() - started < 5


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is wrong"):
        reading({"patternProperties": {"(": {}}})


async def test_a_huge_schema_of_a_caller_is_refused_before_it_is_looked_at() -> None:
    schema = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(10_000)}}
    started = time.process_time()
    _, error = await events_until_error(
        asked(*answer("{}")).call(Request(model="m", params=Parameters(response_schema=schema)))
    )
    assert isinstance(error, InvalidInput)
    assert time.process_time() - started < 1
