import asyncio

import structlog.testing

from noria.assemble.gateway.cut_calls import CutCalls
from noria.core.errors import StorageFull
from noria.core.spans import Span

SPAN = Span(trace_id="t", span_id="s", name="n", start_ns=0, end_ns=1, status="cancelled")


async def test_spans_of_cancelled_calls_are_written_by_the_time_of_drain() -> None:
    written: list[Span] = []

    async def record(span: Span) -> None:
        await asyncio.sleep(0)
        written.append(span)

    cut = CutCalls(record)
    cut(SPAN)
    cut(SPAN)
    assert written == []
    await cut.drain()
    assert written == [SPAN, SPAN]


async def test_one_that_cannot_be_kept_is_said() -> None:
    async def record(span: Span) -> None:
        raise StorageFull("The disk is full.")

    cut = CutCalls(record)
    with structlog.testing.capture_logs() as events:
        cut(SPAN)
        await cut.drain()
    assert [event["event"] for event in events] == ["cut_call.not_recorded"]
