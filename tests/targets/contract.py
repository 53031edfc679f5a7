"""What every target promises. Each implementation is opened around a script and put through all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import msgspec
import pytest

from noria.core.answering import Ended
from noria.core.answering import answer as in_one_piece
from noria.core.errors import CallFailed, CallRefused, NoriaError
from noria.core.events import Delta, Event, OnRecord, Sent, Started, Stopped
from noria.core.folding import collect, fold
from noria.core.messages import Message
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.scripted import answer

ASK = Request(model="m", messages=(Message(role="user", content="Hi?"),))


class Opened(NamedTuple):
    """A target under test."""

    target: Target
    closed: asyncio.Event
    """Set when the innermost call was closed early."""
    shows_sent: bool = True


class Told:
    """Remembers what it is told."""

    def __init__(self, then: Callable[[Event], None] = lambda _: None) -> None:
        self.events: list[Event] = []
        self._then = then

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self._then(event)


Open = Callable[[Callable[[Any], Iterable[Any]]], AbstractAsyncContextManager[Opened]]


async def events_until_error(events: AsyncIterator[Event]) -> tuple[list[Event], NoriaError | None]:
    seen: list[Event] = []
    try:
        async for event in events:
            seen.append(event)  # noqa: PERF401  # what came before the error is kept
    except NoriaError as error:
        return seen, error
    return seen, None


async def sent_through(target: Target, request: Request) -> Request:
    seen, _ = await events_until_error(target.call(request))
    return next(event.request for event in seen if isinstance(event, Sent))


class TargetContract:
    """Subclass it and give the fixture ``open``."""

    async def test_sent_comes_first_and_only_before_the_reply(self, open: Open) -> None:
        async with open(lambda _: answer("Hel", "lo")) as opened:
            seen, error = await events_until_error(opened.target.call(ASK))
        assert error is None
        kinds = [type(event) for event in seen]
        if opened.shows_sent:
            assert kinds[0] is Sent
            assert all(seen[0].request.messages for event in seen if isinstance(event, Sent))
        first = next(i for i, kind in enumerate(kinds) if kind is not Sent)
        assert kinds[first] is Started
        assert Sent not in kinds[first:]

    async def test_the_events_fold_to_the_whole_reply(self, open: Open) -> None:
        async with open(lambda _: answer("Hel", "lo", model="smol")) as opened:
            reply = await collect(opened.target.call(ASK))
        assert reply.complete
        assert (reply.text, reply.model, reply.choices[0].finish_reason) == ("Hello", "smol", "stop")
        assert reply.usage is not None
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (7, 2)

    async def test_a_failure_raises_from_the_iterator(self, open: Open) -> None:
        async with open(lambda _: [CallRefused("No such thing.", status=404)]) as opened:
            events = opened.target.call(ASK)
            seen, error = await events_until_error(events)
        assert all(isinstance(event, Sent) for event in seen)
        assert isinstance(error, CallRefused)
        assert (error.status, "No such thing." in str(error)) == (404, True)

    async def test_cancelling_the_caller_cancels_upstream_at_once(self, open: Open) -> None:
        gate, waiting = asyncio.Event(), asyncio.Event()

        def script(_: Any) -> Iterable[Any]:
            waiting.set()
            return [gate, *answer("Hello")]

        async with open(script) as opened:
            task = asyncio.create_task(collect(opened.target.call(ASK)))
            await waiting.wait()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(2):
                await opened.closed.wait()

    async def test_calls_do_not_disturb_each_other(self, open: Open) -> None:
        gate, numbers = asyncio.Event(), iter(["one", "two", "three"])

        def script(_: Any) -> Iterable[Any]:
            word = next(numbers)
            if word == "three":
                gate.set()
            return [gate, *answer(word)]

        async with open(script) as opened:
            replies = await asyncio.gather(*(collect(opened.target.call(ASK)) for _ in range(3)))
        assert sorted(reply.text for reply in replies) == ["one", "three", "two"]

    async def test_a_reply_in_one_piece_is_what_the_events_fold_to(self, open: Open) -> None:
        async with open(lambda _: answer("Hel", "lo", model="smol")) as opened:
            told = Told()
            one = msgspec.structs.replace(ASK, stream=False)
            answered = await in_one_piece(opened.target, one, told.hear)
            assert answered.reply == await collect(opened.target.call(one))
        assert answered.reply.complete
        assert isinstance(told.events[0], Sent)

    async def test_of_a_streamed_call_everything_is_told_in_order(self, open: Open) -> None:
        streamed = msgspec.structs.replace(ASK, stream=True)
        async with open(lambda _: answer("Hel", "lo", model="smol")) as opened:
            told = Told()
            answered = await in_one_piece(opened.target, streamed, told.hear)
            seen = [event async for event in opened.target.call(streamed)]
        assert answered.reply is None
        assert fold(told.events) == fold(seen)
        assert [type(event) for event in told.events] == [type(event) for event in seen if type(event) is not OnRecord]

    async def test_who_is_told_can_have_the_next_event_wait(self, open: Open) -> None:
        steps: list[str] = []

        async def wait(event: Event) -> None:
            await asyncio.sleep(0.001)
            steps.append(f"waited for {type(event).__name__}")

        def hear(event: Event) -> Awaitable[None]:
            steps.append(f"told {type(event).__name__}")
            return wait(event)

        async with open(lambda _: answer("Hel", "lo")) as opened:
            await in_one_piece(opened.target, msgspec.structs.replace(ASK, stream=True), hear)
        told = [step.removeprefix("told ") for step in steps[::2]]
        assert [step.removeprefix("waited for ") for step in steps[1::2]] == told
        assert told.count("Delta") + told.count("Raw") >= 1

    async def test_a_failed_call_for_one_piece_has_told_whom_it_went_to(self, open: Open) -> None:
        async with open(lambda _: [CallRefused("No such thing.", status=404)]) as opened:
            told = Told()
            with pytest.raises(CallRefused, match="No such thing"):
                await in_one_piece(opened.target, msgspec.structs.replace(ASK, stream=False), told.hear)
            assert {type(event) for event in told.events} <= {Sent}

    async def test_cancelling_a_call_for_one_piece_cancels_upstream_at_once(self, open: Open) -> None:
        gate, waiting = asyncio.Event(), asyncio.Event()

        def script(_: Any) -> Iterable[Any]:
            waiting.set()
            return [gate, *answer("Hello")]

        async with open(script) as opened:
            one = msgspec.structs.replace(ASK, stream=False)
            task = asyncio.ensure_future(in_one_piece(opened.target, one, Told().hear))
            await waiting.wait()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(2):
                await opened.closed.wait()

    async def test_who_is_told_can_end_a_call_and_nobody_tries_it_again(self, open: Open) -> None:
        def refuse(event: Event) -> None:
            if isinstance(event, Sent):
                raise Ended(CallFailed("Not from outside.", retryable=True))

        async with open(lambda _: answer("Hello")) as opened:
            told = Told(refuse)
            with pytest.raises(Ended):
                await in_one_piece(opened.target, msgspec.structs.replace(ASK, stream=False), told.hear)
        assert [type(event) for event in told.events] == [Sent]


class StreamingContract(TargetContract):
    """More for targets whose events come as they are made."""

    async def test_a_failure_in_the_middle_comes_after_what_was_said(self, open: Open) -> None:
        async with open(lambda _: [*answer("Hel")[:2], CallFailed("It broke.")]) as opened:
            seen, error = await events_until_error(opened.target.call(ASK))
        assert [event.text for event in seen if isinstance(event, Delta)] == ["Hel"]
        assert not any(isinstance(event, Stopped) for event in seen)
        assert isinstance(error, CallFailed)
        assert "It broke." in str(error)

    async def test_a_failure_in_the_middle_of_a_told_stream_comes_after_what_was_said(self, open: Open) -> None:
        async with open(lambda _: [*answer("Hel")[:2], CallFailed("It broke.", retryable=True)]) as opened:
            told = Told()
            with pytest.raises(CallFailed, match="It broke"):
                await in_one_piece(opened.target, msgspec.structs.replace(ASK, stream=True), told.hear)
        assert [event.text for event in told.events if isinstance(event, Delta)] == ["Hel"]
        assert not any(isinstance(event, Stopped) for event in told.events)

    async def test_cancelling_a_told_stream_cancels_upstream_at_once(self, open: Open) -> None:
        gate, spoken = asyncio.Event(), asyncio.Event()
        async with open(lambda _: [*answer("Hel")[:2], gate, *answer("lo")[1:]]) as opened:
            told = Told(lambda event: spoken.set() if isinstance(event, Delta) else None)
            task = asyncio.ensure_future(
                in_one_piece(opened.target, msgspec.structs.replace(ASK, stream=True), told.hear)
            )
            await spoken.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(2):
                await opened.closed.wait()

    async def test_closing_cancels_upstream_at_once(self, open: Open) -> None:
        gate = asyncio.Event()
        async with open(lambda _: [*answer("Hel")[:2], gate, *answer("lo")[1:]]) as opened:
            events = opened.target.call(ASK)
            async for event in events:
                if isinstance(event, Delta):
                    break
            await events.aclose()  # type: ignore[attr-defined]  # every target here is an async generator
            async with asyncio.timeout(2):
                await opened.closed.wait()
