"""Guards around a call: what leaves, what does not, and what is on record."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import Blocked, CallCut, InvalidInput, NoriaError, Unavailable
from noria.core.events import Delta, Event, Noted, Raw, Sent, Started, Stopped, ThoughtDelta, ToolCallDelta
from noria.core.folding import collect, fold
from noria.core.guards import GUARDS, Checked, Flaw, GuardRule, Place
from noria.core.messages import Message, TextPart, ToolCall
from noria.core.requests import Parameters, Request, ToEmbed
from noria.core.spans import Span
from noria.targets.guard_checks import InForce
from noria.targets.guarded import Guarded
from noria.targets.recorded import Recorded
from noria.targets.recording import random_ids
from noria.targets.scripted import Scripted, answer

from .contract import events_until_error
from .keeping import keeping

ASK = Request(model="m", messages=(Message(role="user", content="my card is 4111"),), stream=True)


@dataclass
class Finds:
    """A guard that finds a pattern."""

    pattern: str
    reach: int | None = 8
    instead: str = "#"
    name: str = "g"
    version: str = "1"
    seen: list[Checked] = field(default_factory=list)
    waits: float = 0.0

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        self.seen.append(checked)
        await asyncio.sleep(self.waits)
        whole, begin = checked.before + checked.text, len(checked.before)
        return [
            Flaw(reason="A number.", start=match.start() - begin, end=match.end() - begin, instead=self.instead)
            for match in re.compile(self.pattern).finditer(whole, begin)
        ]


def guarded(inner: Any, guard: Any = None, *places: Place, **rule: Any) -> Guarded:
    rule = {"kind": "g", "places": places, "deadline_s": 5.0} | rule
    return Guarded(inner, [InForce(guard or Finds(r"\d+"), GuardRule(**rule))])


def texts(*pieces: str) -> Scripted:
    return Scripted(lambda _: answer(*pieces))


def notes(seen: Sequence[Event]) -> list[tuple[str, str, int]]:
    found = [event.attributes[GUARDS] for event in seen if isinstance(event, Noted) and GUARDS in event.attributes]
    return [(note["place"], note["action"], note["count"]) for some in found for note in some]


def said(seen: Sequence[Event]) -> str:
    return fold(seen).text


# -- before the call


async def test_a_request_is_stopped_before_a_model_is_asked() -> None:
    inner = texts("x")
    seen, error = await events_until_error(guarded(inner, None, "input").call(ASK))
    assert isinstance(error, Blocked)
    assert (error.status, str(error)) == (400, "The guard 'g' stopped this request: A number.")
    assert (inner.requests, notes(seen)) == ([], [("input", "blocked", 1)])


@pytest.mark.parametrize(
    "request_",
    [
        ASK,
        msgspec.structs.replace(ASK, messages=(Message(role="user", content=(TextPart(text="it is 4111"),)),)),
        msgspec.structs.replace(ASK, messages=(Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments="[4111]"),)),)),
        msgspec.structs.replace(ASK, messages=(Message(role="assistant", reasoning="4111"),)),
        Request(model="m", embed=ToEmbed(inputs=("4111", (1, 2)))),
        msgspec.structs.replace(ASK, attributes={"noria.response": '{"input":"my card is 4111"}'}),
    ],
)  # fmt: skip
async def test_what_is_taken_out_of_a_request_reaches_neither_model_nor_record(request_: Request) -> None:
    inner, kept = texts("x"), list[Span]()
    checked = guarded(inner, None, "input", policy="redact")
    target = Recorded(checked, keeping(kept), now=lambda: 0, new_ids=random_ids, price=lambda _: None)
    await collect(target.call(request_))
    assert b"4111" not in msgspec.json.encode(inner.requests)
    assert b"4111" not in msgspec.json.encode(kept)
    [note] = kept[0].attributes[GUARDS]
    assert (note["action"], note["version"]) == ("redacted", "1")


async def test_a_request_that_nobody_minds_is_the_very_same() -> None:
    inner = texts("x")
    request = msgspec.structs.replace(ASK, messages=(Message(role="user", content="hi"),))
    await collect(guarded(inner, None, "input", policy="redact").call(request))
    assert inner.requests[0] is request


# -- on the stream

PIECES = st.lists(st.text(alphabet="ab12", max_size=5), max_size=12)


@given(pieces=PIECES, more=PIECES, reach=st.integers(2, 12))
def test_however_a_text_is_cut_what_leaves_is_the_same(pieces: list[str], more: list[str], reach: int) -> None:
    """A pattern of at most two characters, so that any reach sees it whole."""
    deltas = [
        Delta(index=index, text=piece) for pair in zip(pieces, more, strict=False) for index, piece in enumerate(pair)
    ]
    script = [Started(), *deltas, Stopped(index=0), Stopped(index=1)]
    target = guarded(Scripted(lambda _: script), Finds("12?", reach=reach), "stream", policy="redact")
    seen, error = asyncio.run(events_until_error(target.call(ASK)))
    assert error is None
    reply = fold(seen)
    for index, choice in enumerate(reply.choices):
        whole = "".join(delta.text for delta in deltas if delta.index == index)
        assert choice.message.text == re.sub("12?", "#", whole)


@given(pieces=PIECES, reach=st.integers(2, 12))
def test_nothing_of_what_stops_a_call_leaves(pieces: list[str], reach: int) -> None:
    target = guarded(texts(*pieces), Finds("12", reach=reach), "stream")
    seen, error = asyncio.run(events_until_error(target.call(ASK)))
    whole = "".join(pieces)
    assert isinstance(error, Blocked) == ("12" in whole)
    assert whole.startswith(said(seen))
    assert "12" not in said(seen)
    if error:
        assert not fold(seen).complete
        assert said(seen) == "" or not whole[len(said(seen)) :].startswith("2") or said(seen)[-1] != "1"


async def test_text_leaves_as_soon_as_the_reach_allows() -> None:
    gate = asyncio.Event()
    inner = Scripted(lambda _: [Started(), Delta(text="a" * 20), Delta(text="b" * 20), gate, *answer("c")[1:]])
    events = guarded(inner, Finds("12", reach=8), "stream").call(ASK)
    seen: list[Event] = []
    async for event in events:
        seen.append(event)
        if isinstance(event, Delta):
            break
    assert said(seen) == "a" * 20  # without waiting for the gate
    gate.set()
    seen += [event async for event in events]
    assert said(seen) == "a" * 20 + "b" * 20 + "c"


async def test_bytes_pass_where_nothing_may_be_replaced_and_not_where_something_may() -> None:
    raws = [
        Raw(wire="w", data=b"1", events=(Started(), Delta(text="a1b"))),
        Raw(wire="w", data=b"2", events=(Delta(text="c"), Stopped())),
    ]
    seen, _ = await events_until_error(guarded(Scripted(lambda _: raws), None, "stream", policy="flag").call(ASK))
    assert [event for event in seen if isinstance(event, Raw)] == raws
    assert notes(seen) == [("stream", "flagged", 1)]
    seen, _ = await events_until_error(guarded(Scripted(lambda _: raws), None, "stream", policy="redact").call(ASK))
    assert not any(isinstance(event, Raw) for event in seen)
    assert said(seen) == "a#bc"


async def test_thinking_refusals_and_arguments_are_checked_too() -> None:
    call = ToolCallDelta(index=0, id="c", name="f", arguments='{"a": 12')
    script = [
        Started(),
        Delta(reasoning="so 1", thought=ThoughtDelta(signature="s")),
        Delta(reasoning="2", thought=ThoughtDelta(signature="eal")),
        Delta(text="it is 1"),
        Delta(tool_calls=(call,)),
        Delta(tool_calls=(ToolCallDelta(index=0, arguments="}"),)),
        Delta(refusal="no 3"),
        Stopped(),
    ]
    seen, _ = await events_until_error(guarded(Scripted(lambda _: script), None, "stream", policy="redact").call(ASK))
    message = fold(seen).choices[0].message
    assert (message.reasoning, message.text, message.refusal) == ("so #", "it is #", "no #")
    assert (message.tool_calls[0].arguments, message.tool_calls[0].name) == ('{"a": #}', "f")
    assert not any(thought.signature for thought in message.thoughts)  # it would seal other words
    order = [
        ("r" if e.reasoning else "t" if e.text else "c" if e.tool_calls else "f") for e in seen if isinstance(e, Delta)
    ]
    assert "".join(order).replace("rr", "r").replace("cc", "c").replace("fr", "r") in {"rtcf", "rftcf"}


async def test_a_stream_that_breaks_gives_what_was_checked_and_then_the_error() -> None:
    inner = Scripted(lambda _: [Started(), Delta(text="abc 1"), CallCut("Cut.")])
    seen, error = await events_until_error(guarded(inner, None, "stream", policy="redact").call(ASK))
    assert isinstance(error, CallCut)
    assert (said(seen), notes(seen)) == ("abc #", [("stream", "redacted", 1)])


async def test_log_probabilities_would_spell_out_what_is_replaced() -> None:
    request = msgspec.structs.replace(ASK, params=Parameters(logprobs=0))
    inner = texts("1")
    _, error = await events_until_error(guarded(inner, None, "stream", policy="redact").call(request))
    assert isinstance(error, InvalidInput)
    await collect(
        guarded(inner, None, "stream", policy="redact").call(msgspec.structs.replace(request, may_drop=("logprobs",)))
    )
    assert inner.requests[0].params.logprobs is None


# -- after the call


async def test_the_end_leaves_after_the_whole_was_checked() -> None:
    seen, error = await events_until_error(guarded(texts("a", "1"), Finds("a1"), "output").call(ASK))
    assert isinstance(error, Blocked)
    assert (said(seen), fold(seen).complete) == ("a1", False)
    assert notes(seen) == [("output", "blocked", 1)]


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_replaced_in_the_whole_holds_the_whole_back(stream: bool) -> None:
    request = msgspec.structs.replace(ASK, stream=stream)
    seen, _ = await events_until_error(guarded(texts("a1", "2b"), None, "output", policy="redact").call(request))
    assert (said(seen), fold(seen).complete) == ("a#b", True)


async def test_a_whole_reply_keeps_its_bytes_where_nothing_was_replaced() -> None:
    raw = Raw(wire="w", data=b"{}", events=(Delta(text="abc"), Stopped()))
    request = msgspec.structs.replace(ASK, stream=False)
    target = guarded(Scripted(lambda _: [raw]), None, "stream", "output", policy="redact")
    assert (await events_until_error(target.call(request)))[0][-1] == raw


# -- rules


@pytest.mark.parametrize(("late", "stopped"), [("block", True), ("pass", False)])
@pytest.mark.parametrize("place", ["input", "stream", "output"])
async def test_a_check_that_takes_too_long(place: Place, late: Any, stopped: bool) -> None:
    slow = Finds("x", waits=5)
    seen, error = await events_until_error(guarded(texts("ab"), slow, place, deadline_s=0.01, late=late).call(ASK))
    assert isinstance(error, Unavailable) == stopped
    places = [event.attributes[GUARDS] for event in seen if isinstance(event, Noted) and GUARDS in event.attributes]
    places += [event.request.attributes.get(GUARDS, []) for event in seen if isinstance(event, Sent)][-1:]
    [note] = [note for some in places for note in some]
    assert (note["place"], note["action"]) == (place, "late")


async def test_a_guard_that_breaks_is_as_late() -> None:
    class Broken(Finds):
        async def check(self, checked: Checked) -> Sequence[Flaw]:
            raise ZeroDivisionError

    _, error = await events_until_error(guarded(texts("ab"), Broken("x"), "output").call(ASK))
    assert isinstance(error, Unavailable)
    assert (
        said((await events_until_error(guarded(texts("ab"), Broken("x"), "output", late="pass").call(ASK)))[0]) == "ab"
    )


async def test_a_shadow_is_noted_and_waited_for_by_nobody() -> None:
    seen, _ = await events_until_error(guarded(texts("a1"), None, "input", "output", policy="shadow").call(ASK))
    assert said(seen) == "a1"
    assert sorted(notes(seen)) == [("input", "shadowed", 1), ("output", "shadowed", 1)]
    seen, _ = await events_until_error(guarded(texts("a1"), Finds("x", waits=5), "output", policy="shadow").call(ASK))
    assert notes(seen) == [("output", "late", 1)]


async def test_a_shadow_that_asks_a_model_ends_when_the_caller_goes_away() -> None:
    asks, ended = asyncio.Event(), asyncio.Event()

    class Asks(Finds):
        async def check(self, checked: Checked) -> Sequence[Flaw]:
            asks.set()
            try:
                return await super().check(checked)
            finally:
                ended.set()

    inner = Scripted(lambda _: [asyncio.Event(), *answer("a")])
    target = guarded(inner, Asks("x", waits=60), "input", policy="shadow")
    call = asyncio.create_task(collect(target.call(ASK)))
    await asks.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(2):
        await ended.wait()


async def test_what_guards_found_is_counted_and_never_repeated_on_record() -> None:
    seen, _ = await events_until_error(guarded(texts("1 2 3"), None, "stream", policy="flag").call(ASK))
    assert notes(seen) == [("stream", "flagged", 3)]
    assert not any("3" in str(event.attributes[GUARDS][0]["reason"]) for event in seen if isinstance(event, Noted))


async def test_guards_check_one_after_the_other() -> None:
    first = InForce(Finds("1", instead="2"), GuardRule(kind="a", places=("stream",), policy="redact"))
    second = InForce(Finds("3"), GuardRule(kind="b", places=("stream",)))
    seen, error = await events_until_error(Guarded(texts("x1", "y3"), [first, second]).call(ASK))
    assert isinstance(error, NoriaError)
    assert "3" not in said(seen)
