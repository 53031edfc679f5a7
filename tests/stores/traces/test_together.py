"""Records that come together share an append, and none is worse off for the others."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from noria.core.errors import InvalidInput, StorageFull
from noria.core.spans import Span
from noria.stores.traces.together import Together


class Appends:
    """A store that holds its appends back until it is told what becomes of them."""

    def __init__(self) -> None:
        self.spans: list[Sequence[Span]] = []
        self.begun: list[asyncio.Future[None]] = []
        self.unfit = ""
        self.came = asyncio.Event()

    def begin(self, spans: Sequence[Span]) -> asyncio.Future[Any]:
        if any(span.span_id == self.unfit for span in spans):
            raise InvalidInput("It can't be kept.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.spans.append(spans)
        self.begun.append(done)
        self.came.set()
        return done

    def end_all(self) -> None:
        self.came.clear()
        for done in self.begun:
            if not done.done():
                done.set_result(None)


def span_of_call(name: str) -> Span:
    return Span(trace_id="t", span_id=name, name="chat", operation="chat", start_ns=0, end_ns=1)


def ids(spans: Sequence[Span]) -> list[str]:
    return [span.span_id for span in spans]


async def test_one_alone_is_appended_at_once_and_those_that_come_together_by_one_append() -> None:
    store, kept = Appends(), list[str]()
    together = Together(span_of_call, store.begin, lambda span: kept.append(span.span_id))
    alone = together.add("a")
    await asyncio.sleep(0)
    store.end_all()
    await alone
    several = [together.add(name) for name in "bcd"]
    await asyncio.sleep(0)
    assert [ids(spans) for spans in store.spans] == [["a"], ["b", "c", "d"]]
    assert not any(done.done() for done in several)
    store.end_all()
    await asyncio.gather(*several)
    assert kept == ["a", "b", "c", "d"]


async def test_where_several_came_lately_the_next_waits_a_moment_for_others() -> None:
    store = Appends()
    together = Together(span_of_call, store.begin, lambda _: None)
    for _ in range(8):
        waiting = [together.add(name) for name in "abcd"]
        await store.came.wait()
        store.end_all()
        await asyncio.gather(*waiting)
    first = together.add("first")
    await asyncio.sleep(0)
    second = together.add("second")
    await store.came.wait()
    store.end_all()
    await asyncio.gather(first, second)
    assert ids(store.spans[-1]) == ["first", "second"]


async def test_one_that_cannot_be_kept_costs_nobody_else_the_record() -> None:
    store = Appends()
    store.unfit = "b"
    together = Together(span_of_call, store.begin, lambda _: None)
    good, bad, other = (together.add(name) for name in "abc")
    await asyncio.sleep(0)
    store.end_all()
    await asyncio.gather(good, other)
    with pytest.raises(InvalidInput):
        await bad
    assert [ids(spans) for spans in store.spans] == [["a"], ["c"]]


async def test_a_span_that_cannot_be_made_costs_nobody_else_the_record() -> None:
    store = Appends()

    def made(name: str) -> Span:
        return span_of_call(name if name != "b" else str(1 // 0))

    together = Together(made, store.begin, lambda _: None)
    good, bad, other = (together.add(name) for name in "abc")
    await asyncio.sleep(0)
    store.end_all()
    assert ids(await asyncio.gather(good, other)) == ["a", "c"]
    with pytest.raises(ZeroDivisionError):
        await bad
    assert [ids(spans) for spans in store.spans] == [["a", "c"]]


async def test_an_append_that_fails_fails_for_all_that_waited_for_it() -> None:
    store, kept = Appends(), list[Span]()
    together = Together(span_of_call, store.begin, kept.append)
    both = [together.add(name) for name in "ab"]
    await asyncio.sleep(0)
    store.begun[0].set_exception(StorageFull("The disk is full."))
    found = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(error, StorageFull) for error in found)
    assert not kept


async def test_nobody_waits_for_ever_because_whoever_is_told_fails() -> None:
    store, reported = Appends(), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def told(_: Span) -> None:
        raise ZeroDivisionError

    together = Together(span_of_call, store.begin, told)
    both = [together.add(name) for name in "ab"]
    await asyncio.sleep(0)
    store.end_all()
    await asyncio.wait_for(asyncio.gather(*both), 5)
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_a_caller_that_goes_away_takes_no_record_along() -> None:
    store, kept = Appends(), list[str]()
    together = Together(span_of_call, store.begin, lambda span: kept.append(span.span_id))
    gone, stays = together.add("gone"), together.add("stays")
    await asyncio.sleep(0)
    gone.cancel()
    store.end_all()
    await stays
    assert kept == ["gone", "stays"]
