"""The recorder: exactly one span for every call, before the caller sees its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import CallFailed, StorageFull
from noria.core.events import Delta, Event, OnRecord, Raw, Sent, Started, Stopped, Used
from noria.core.folding import collect
from noria.core.spans import Span
from noria.targets.recorded import Recorded
from noria.targets.recording import Recording
from noria.targets.scripted import Scripted, Step, answer

from .clock import Numbered, Ticking
from .contract import ASK, events_until_error


class Store:
    """A place for spans that can be slow or full."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.writing = asyncio.Event()
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.full = False

    def record(self, recording: Recording) -> asyncio.Future[Span]:
        self.task = asyncio.create_task(self._record(recording))
        return asyncio.shield(self.task)

    async def _record(self, recording: Recording) -> Span:
        self.writing.set()
        await self.may_write.wait()
        if self.full:
            raise StorageFull("The disk is full.")
        self.spans.append(recording.span())
        return self.spans[-1]


def recorded(store: Store, *steps: Step) -> Recorded:
    inner = Scripted(lambda _: steps)
    return Recorded(inner, store.record, now=Ticking(), new_ids=Numbered(), price=lambda _: 0.25)


async def test_a_finished_call() -> None:
    store = Store()
    reply = await collect(recorded(store, *answer("Hel", "lo")).call(ASK))
    assert reply.text == "Hello"
    [span] = store.spans
    assert (span.status, span.output_text, span.cost_usd, span.provider) == ("ok", "Hello", 0.25, "scripted")


async def test_no_complete_reply_is_seen_before_it_is_recorded() -> None:
    store = Store()
    events = recorded(store, *answer("Hel", "lo")).call(ASK)
    seen = [(type(event), len(store.spans)) async for event in events]
    assert seen == [(Sent, 0), (Started, 0), (Delta, 0), (Delta, 0), (Stopped, 1), (Used, 1), (OnRecord, 1)]


async def test_bytes_stay_in_their_order_and_those_that_end_a_reply_wait_for_its_record() -> None:
    store = Store()
    steps = [
        Raw(wire="w", data=b"a", events=(Started(), Delta(text="a"))),
        Raw(wire="w", data=b"b", events=(Delta(text="b"), Stopped())),
        Raw(wire="w", data=b"[DONE]"),
    ]
    seen = [
        (event.data, len(store.spans)) async for event in recorded(store, *steps).call(ASK) if isinstance(event, Raw)
    ]
    assert seen == [(b"a", 0), (b"b", 1), (b"[DONE]", 1)]
    [span] = store.spans
    assert span.output_text == "ab"


async def test_content_of_other_choices_still_flows_while_one_is_complete() -> None:
    store = Store()
    steps = [Delta(index=0, text="a"), Stopped(index=0), Delta(index=1, text="b"), Stopped(index=1)]
    seen, _ = await events_until_error(recorded(store, *steps).call(ASK))
    assert seen[1:-1] == [steps[0], steps[2], steps[1], steps[3]]


async def test_a_reply_that_cannot_be_recorded_does_not_end_well() -> None:
    store = Store()
    store.full = True
    seen, error = await events_until_error(recorded(store, *answer("Hello")).call(ASK))
    assert isinstance(error, StorageFull)
    assert not any(isinstance(event, Stopped) for event in seen)


@pytest.mark.parametrize("error", [CallFailed("No."), ValueError("holds a secret")])
async def test_a_failed_call_is_recorded_and_raises(error: Exception) -> None:
    store = Store()
    with pytest.raises(type(error)):
        await collect(recorded(store, *answer("Hel")[:2], error).call(ASK))
    [span] = store.spans
    assert (span.status, span.output_text) == ("error", "Hel")
    assert span.error_type == ("call_failed" if isinstance(error, CallFailed) else "ValueError")
    assert "secret" not in (span.error_message or "")


async def test_events_that_just_end_are_a_failure() -> None:
    store = Store()
    _, error = await events_until_error(recorded(store, *answer("Hel")[:2]).call(ASK))
    assert error is not None
    assert [(span.status, span.error_type) for span in store.spans] == [("error", "call_cut")]


async def test_a_caller_that_goes_away_leaves_a_record() -> None:
    store = Store()
    events = recorded(store, *answer("Hel")[:2], asyncio.Event()).call(ASK)
    async for event in events:
        if isinstance(event, Delta):
            break
    await events.aclose()
    [span] = store.spans
    assert (span.status, span.error_type, span.output_text, span.provider) == ("cancelled", None, "Hel", "scripted")


async def test_a_cancelled_call_leaves_a_record() -> None:
    store, gate = Store(), asyncio.Event()
    target = recorded(store, *answer("Hel")[:2], gate)
    task = asyncio.create_task(collect(target.call(ASK)))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(span.status, span.output_text) for span in store.spans] == [("cancelled", "Hel")]


async def test_cancelling_again_does_not_cancel_the_record() -> None:
    store = Store()
    store.may_write.clear()
    target = recorded(store, *answer("Hel")[:2], asyncio.Event())
    task = asyncio.create_task(collect(target.call(ASK)))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await store.writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.spans == []
    store.may_write.set()
    await store.task
    assert [span.status for span in store.spans] == ["cancelled"]


async def test_cancelling_while_a_finished_call_is_recorded_leaves_one_record() -> None:
    store = Store()
    store.may_write.clear()
    target = recorded(store, *answer("Hello"))
    task = asyncio.create_task(collect(target.call(ASK)))
    await store.writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.may_write.set()
    await store.task
    assert [span.status for span in store.spans] == ["ok"]


async def test_closing_after_the_record_leaves_one_record() -> None:
    store = Store()
    events = recorded(store, *answer("Hello")).call(ASK)
    async for event in events:
        if isinstance(event, Stopped):
            break
    await events.aclose()
    assert [span.status for span in store.spans] == ["ok"]


steps = st.lists(
    st.sampled_from(
        [
            Started(),
            Delta(text="a"),
            Delta(index=1, text="b"),
            Stopped(),
            Stopped(index=1),
            *answer("x")[-1:],
            CallFailed("No."),
            KeyError("x"),
        ]
    ),
    max_size=6,
)


@given(steps, st.integers(0, 6))
def test_whatever_happens_there_is_one_record(steps: Sequence[Step], leave_after: int) -> None:
    async def run() -> None:
        store, seen = Store(), list[Event]()
        events = recorded(store, *steps).call(ASK)
        ended = False
        try:
            async for event in events:
                seen.append(event)
                if len(seen) == leave_after:
                    break
            else:
                ended = True
        except (CallFailed, KeyError):
            pass
        await events.aclose()
        assert len(store.spans) == 1
        assert not ended or store.spans[0].status == "ok"

    asyncio.run(run())
