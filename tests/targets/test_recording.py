"""The bookkeeping of one call."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable

import pytest

from noria.core.errors import CallCut, CallFailed
from noria.core.events import Delta, Event, Sent, Started, Stopped, ToolCallDelta, Used
from noria.core.folding import fold
from noria.core.messages import Message
from noria.core.protocols import Target
from noria.core.replies import Usage
from noria.core.requests import Lineage, Parameters, Request, Tool, TraceContext
from noria.core.spans import Span
from noria.targets.recording import RandomIds, Recording, random_ids, recorded_call
from noria.targets.scripted import Scripted, answer

from .clock import Numbered, Ticking
from .contract import ASK

FAILED = {"model": "p/m", "outcome": "call_failed", "status": 502, "wait_s": 0.2}
SENT = Sent(request=ASK, provider="p", request_id="request_1")


class Timed:
    """Plays events, each after so many seconds."""

    def __init__(self, clock: Ticking, *steps: tuple[float, Event]) -> None:
        self._clock = clock
        self._steps = steps

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        for seconds, event in self._steps:
            self._clock.tick(seconds)
            yield event


async def span_of(*steps: tuple[float, Event], price: Callable[[Span], float | None] = lambda _: None) -> Span:
    clock = Ticking()
    span, _ = await recorded_call(Timed(clock, *steps), ASK, now=clock, new_ids=Numbered(), price=price)
    return span


def used(tokens: int) -> Used:
    return Used(usage=Usage(input_tokens=5, output_tokens=tokens))


async def test_time_to_first_token_and_per_token() -> None:
    span = await span_of(
        (1.0, SENT),
        (0.25, Started()),
        (0.25, Delta(text="a")),
        (0.2, Delta(text="b")),
        (0.4, Delta(text="c")),
        (0.5, Stopped()),
        (0.0, used(4)),
    )
    assert span.ttft_s == pytest.approx(0.5)  # from Sent, not from the start; Started is no content
    assert span.tpot_s == pytest.approx(0.6 / 3)
    assert span.duration_s == pytest.approx(2.6)


@pytest.mark.parametrize("pieces", [2, 31, 32, 33, 100])
async def test_every_piece_has_its_own_time_however_many_there_are(pieces: int) -> None:
    said = [(0.25, Delta(text=f"{i} ")) for i in range(pieces)]
    span = await span_of((1.0, SENT), (0.25, Started()), *said, (0.5, Stopped()), (0.0, used(pieces)))
    assert (span.ttft_s, span.tpot_s) == (pytest.approx(0.5), pytest.approx(0.25))
    assert span.output[0].text == "".join(f"{i} " for i in range(pieces))


def test_a_reply_in_one_piece_has_the_times_of_its_pieces() -> None:
    clock = Ticking()
    recording = Recording(ASK, now=clock, new_ids=Numbered(), price=lambda _: None)
    events = [SENT, *answer("Hel", "lo")]
    for event in events:
        clock.tick(0.5)
        recording.take(event)
    recording.take_whole(fold(events))
    recording.finish()
    span = recording.span()
    assert (span.ttft_s, span.tpot_s) == (pytest.approx(1.0), pytest.approx(0.5))


@pytest.mark.parametrize(
    "first", [Delta(reasoning="hm"), Delta(tool_calls=(ToolCallDelta(index=0, name="f"),)), Delta(refusal="no")]
)
async def test_thinking_tool_calls_and_refusals_are_content(first: Delta) -> None:
    span = await span_of((0, SENT), (0.5, first), (0.5, Delta(text="a")), (0, Stopped()), (0, used(2)))
    assert (span.ttft_s, span.tpot_s) == (pytest.approx(0.5), pytest.approx(0.5))


async def test_timings_are_none_where_undefined() -> None:
    whole = await span_of(
        (0, Sent(request=ASK, provider="p", streamed=False)),
        (1, Delta(text="a")),
        (1, Delta(text="b")),
        (0, Stopped()),
        (0, used(2)),
    )
    assert (whole.ttft_s, whole.tpot_s) == (None, None)
    silent = await span_of((0, SENT), (1, Stopped()), (0, used(0)))
    assert (silent.ttft_s, silent.tpot_s) == (None, None)
    one = await span_of((0, SENT), (1, Delta(text="a")), (1, Stopped()), (0, used(1)))
    assert (one.ttft_s, one.tpot_s) == (1.0, None)
    at_once = await span_of((0, SENT), (1, Delta(text="all of it")), (1, Stopped()), (0, used(9)))
    assert (at_once.ttft_s, at_once.tpot_s) == (1.0, None)
    uncounted = await span_of((0, SENT), (1, Delta(text="a")), (1, Delta(text="b")), (0, Stopped()))
    assert (uncounted.ttft_s, uncounted.tpot_s, uncounted.output_tokens) == (1.0, None, None)


async def test_a_second_sent_starts_the_clock_anew() -> None:
    again = Sent(request=Request(model="m", attributes={"noria.attempts": [FAILED]}), provider="p")
    span = await span_of((0, SENT), (3, again), (0.5, Delta(text="a")), (0, Stopped()))
    assert (span.ttft_s, span.duration_s, span.attributes) == (
        0.5,
        3.5,
        {"noria.attempts": [FAILED, {"model": "p/m", "outcome": "ok"}]},
    )


async def test_a_replay_has_the_earlier_timings() -> None:
    replay = Sent(request=ASK, provider="p", replays="t/s", ttft_s=0.5, tpot_s=0.1, duration_s=2.0)
    span = await span_of((0, replay), (0.001, Delta(text="a")), (0, Stopped()), (0, used(5)))
    assert (span.cached, span.ttft_s, span.tpot_s, span.duration_s) == (True, 0.5, 0.1, 2.0)
    assert span.attributes == {"noria.replayed.span": "t/s", "noria.replayed.duration_s": 2.0}
    assert span.end_ns - span.start_ns == 1_000_000


async def test_everything_that_is_known_is_on_the_span() -> None:
    params = Parameters(temperature=0, max_tokens=5, stop=("END",), extra={"top_k": 4})
    sent = Request(
        model="p/org/m1",
        messages=(Message(role="system", content="Be brief."),),
        params=params,
        tools=(Tool(name="f"),),
        tool_choice="auto",
        n=2,
        variables={"q": 1},
        lineage=Lineage(app="boolq", user_id="u"),
        attributes={"metadata": {"a": 1}},
    )
    usage = Usage(input_tokens=5, output_tokens=4, cached_tokens=3, reasoning_tokens=2)
    span = await span_of(
        (0, Sent(request=sent, provider="p", request_id="request_1")),
        (0, Started(id="x", model="m1-2024")),
        (0, Delta(index=0, text="a")),
        (0, Delta(index=1, text="b")),
        (0, Stopped(index=1, reason="length")),
        (0, Stopped(index=0)),
        (0, Used(usage=usage)),
        price=lambda span: 0.5 if span.output_tokens == 4 else None,
    )
    assert (span.name, span.provider, span.request_model, span.response_model) == (
        "chat p/org/m1",
        "p",
        "org/m1",
        "m1-2024",
    )
    assert span.params == {
        "temperature": 0,
        "max_tokens": 5,
        "stop": ["END"],
        "top_k": 4,
        "tools": [{"name": "f"}],
        "tool_choice": "auto",
        "n": 2,
    }
    assert (span.input, span.variables, span.lineage, span.attributes) == (
        sent.messages,
        sent.variables,
        sent.lineage,
        sent.attributes,
    )
    assert [message.text for message in span.output] == ["a", "b"]
    assert span.finish_reasons == ("stop", "length")
    assert (span.input_tokens, span.output_tokens, span.cached_tokens, span.reasoning_tokens) == (5, 4, 3, 2)
    assert (span.cost_usd, span.request_id, span.status, span.cached) == (0.5, "request_1", "ok", False)


async def test_a_span_takes_its_place_in_the_caller_s_trace() -> None:
    inner = Scripted(lambda _: answer("x"))
    outside = TraceContext(trace_id="a" * 32, parent_id="b" * 16)
    for trace, expected in ((outside, ("a" * 32, "b" * 16)), (None, (f"{2:032x}", None))):
        ids = Numbered()
        if trace is None:
            ids()
        request = Request(model="m", trace=trace)
        span, _ = await recorded_call(inner, request, now=Ticking(), new_ids=ids, price=lambda _: None)
        assert (span.trace_id, span.parent_id) == expected
        assert inner.requests[-1].trace == TraceContext(trace_id=span.trace_id, parent_id=span.span_id)


async def call(target: Target) -> tuple[Span, str]:
    span, reply = await recorded_call(target, ASK, now=Ticking(), new_ids=Numbered(), price=lambda _: None)
    return span, reply.text


async def test_a_failed_call_is_a_result_that_keeps_what_came() -> None:
    span, text = await call(Scripted(lambda _: [*answer("Hel")[:2], CallCut("It was cut.")]))
    assert (span.status, span.error_type, span.error_message) == ("error", "call_cut", "It was cut.")
    assert (text, span.output[0].text, span.finish_reasons) == ("Hel", "Hel", ())


async def test_events_that_just_end_are_a_cut() -> None:
    span, _ = await call(Scripted(lambda _: answer("Hel")[:2]))
    assert (span.status, span.error_type) == ("error", "call_cut")


async def test_a_call_that_fails_before_it_is_sent_records_what_was_asked() -> None:
    class Refusing:
        async def call(self, request: Request) -> AsyncGenerator[Event]:
            raise CallFailed("No.")
            yield  # a generator all the same

    span, _ = await call(Refusing())
    assert (span.name, span.provider, span.request_model, span.input, span.request_id) == (
        "chat m",
        None,
        "m",
        ASK.messages,
        None,
    )


async def test_a_defect_is_no_result() -> None:
    with pytest.raises(ZeroDivisionError):
        await call(Scripted(lambda _: [ZeroDivisionError("secret")]))


def test_random_ids_are_w3c_trace_context_ids() -> None:
    (trace_id, span_id), other = random_ids(), random_ids()
    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    assert re.fullmatch("[0-9a-f]{16}", span_id)
    assert trace_id != other[0]


def test_ids_that_are_made_many_at_once_are_like_those_made_one_by_one() -> None:
    new_ids = RandomIds()
    made = [new_ids() for _ in range(500)]
    assert {(len(trace), len(span)) for trace, span in made} == {(32, 16)}
    assert len({id for pair in made for id in pair}) == 1000
    assert all(int(id, 16) for pair in made for id in pair)
