"""What every target promises. Each implementation is opened around a script and put through all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import pytest

from noria.core.errors import CallFailed, CallRefused, NoriaError
from noria.core.events import Delta, Event, Sent, Started, Stopped
from noria.core.folding import collect
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


class StreamingContract(TargetContract):
    """More for targets whose events come as they are made."""

    async def test_a_failure_in_the_middle_comes_after_what_was_said(self, open: Open) -> None:
        async with open(lambda _: [*answer("Hel")[:2], CallFailed("It broke.")]) as opened:
            seen, error = await events_until_error(opened.target.call(ASK))
        assert [event.text for event in seen if isinstance(event, Delta)] == ["Hel"]
        assert not any(isinstance(event, Stopped) for event in seen)
        assert isinstance(error, CallFailed)
        assert "It broke." in str(error)

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
