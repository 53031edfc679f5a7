import asyncio

import pytest

from noria.assemble.gateway.replies import RememberedReplies
from noria.core.questions import Question, Table
from noria.core.spans import Span
from noria.stores.traces.memory import MemoryTraces


def span(request_id: str, start_ns: int, status: str = "ok", *, cached: bool = False) -> Span:
    return Span(
        trace_id=f"{start_ns:032x}",
        span_id=f"{start_ns:016x}",
        name="chat",
        start_ns=start_ns,
        end_ns=start_ns + 1,
        status=status,  # type: ignore[arg-type]
        request_id=request_id,
        cached=cached,
    )


class Counting(MemoryTraces):
    questions = 0

    async def spans(self, question: Question) -> list[Span]:
        self.questions += 1
        await asyncio.sleep(0)
        return await super().spans(question)


async def test_the_latest_complete_uncached_answer_is_found() -> None:
    store = Counting()
    await store.append(
        [span("a", 1), span("a", 2), span("a", 3, "error"), span("a", 4, cached=True), span("b", 5, "cancelled")]
    )
    replies = RememberedReplies(store)
    found = await replies("a")
    assert found is not None
    assert found.start_ns == 2
    assert await replies("b") is None
    assert await replies("c") is None


async def test_lookups_at_the_same_time_are_asked_together() -> None:
    store = Counting()
    await store.append([span(str(i), i) for i in range(50)])
    replies = RememberedReplies(store)
    found = await asyncio.gather(*(replies(str(i % 50)) for i in range(100)))
    assert [one.start_ns for one in found if one] == [i % 50 for i in range(100)]
    assert store.questions == 1


async def test_a_failing_store_fails_those_who_asked_and_nobody_after() -> None:
    class Failing(Counting):
        broken = True

        async def spans(self, question: Question) -> list[Span]:
            if self.broken:
                raise OSError("disk")
            return await super().spans(question)

    store = Failing()
    replies = RememberedReplies(store)
    with pytest.raises(OSError, match="disk"):
        await replies("a")
    store.broken = False
    assert await replies("a") is None


async def test_giving_up_on_one_lookup_does_not_spoil_it_for_others() -> None:
    store = Counting()
    await store.append([span("a", 1)])
    replies = RememberedReplies(store)
    impatient = asyncio.ensure_future(replies("a"))
    patient = asyncio.ensure_future(replies("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    found = await patient
    assert found is not None


def test_the_store_answers_tables_too() -> None:
    assert Table(columns=("a",), rows=((1,),)).records() == [{"a": 1}]
