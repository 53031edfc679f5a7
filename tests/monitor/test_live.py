import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import CallFailed, InvalidInput
from noria.core.messages import Message
from noria.core.monitors import Monitor
from noria.core.requests import Lineage
from noria.core.scores import Need, Score, ScorerSpec, Subject
from noria.core.spans import Span
from noria.monitor import LiveMonitors, refuse_needs
from noria.monitor.live import sampled

SPAN = Span(
    trace_id="a" * 32,
    span_id="b" * 16,
    name="chat local/m",
    start_ns=1,
    end_ns=2,
    output=(Message(role="assistant", content="yes"),),
    lineage=Lineage(app="sorter"),
)


class Says:
    """A scorer that says whether the output is a given text."""

    name = "says"
    version = "1"
    better: Literal["higher", "lower"] | None = "higher"

    def __init__(self, needs: frozenset[Need] = frozenset({"output"}), error: Exception | None = None) -> None:
        self.needs = needs
        self.error = error

    async def score(self, subject: Subject) -> Score | None:
        if self.error:
            raise self.error
        return Score(scorer=self.name, version=self.version, value=subject.output == "yes")


def monitor(rate: float = 1.0, name: str = "m") -> Monitor:
    return Monitor(name=name, app="sorter", scorer=ScorerSpec(kind="says", name="says"), rate=rate)


class Record:
    def __init__(self) -> None:
        self.scores: list[Score] = []

    async def __call__(self, scores: Sequence[Score]) -> None:
        self.scores.extend(scores)


def live(record: Record, *pairs: tuple[Monitor, Says], capacity: int = 100) -> LiveMonitors:
    return LiveMonitors(lambda app: pairs if app == "sorter" else (), record, lambda: 77, capacity)


async def test_a_call_is_judged_and_the_score_says_where_it_belongs() -> None:
    record = Record()
    monitors = live(record, (monitor(), Says()))
    monitors.observe(SPAN)
    await monitors.close()
    [score] = record.scores
    assert (score.value, score.monitor, score.time_ns) == (True, "m", 77)
    assert (score.trace_id, score.span_id) == (SPAN.trace_id, SPAN.span_id)
    assert monitors.scored == 1


@pytest.mark.parametrize(
    "change",
    [
        {"lineage": Lineage(app="other")},
        {"lineage": Lineage()},
        {"lineage": Lineage(app="sorter", experiment_id="e")},
        {"status": "error"},
    ],
)
async def test_calls_that_are_no_live_answers_of_the_app_are_left_alone(change: dict[str, object]) -> None:
    record = Record()
    monitors = live(record, (monitor(), Says()))
    monitors.observe(msgspec.structs.replace(SPAN, **change))
    await monitors.close()
    assert record.scores == []


@pytest.mark.parametrize("error", [CallFailed("judge is away"), ZeroDivisionError()])
async def test_a_failing_scorer_is_counted_and_does_not_stop_the_others(error: Exception) -> None:
    record = Record()
    good = Says()
    monitors = live(record, (monitor(name="bad"), Says(error=error)), (monitor(name="good"), good))
    monitors.observe(SPAN)
    await monitors.drain()
    assert monitors.failed == 1
    monitors.observe(SPAN)
    await monitors.close()
    assert [score.monitor for score in record.scores] == ["good", "good"]
    assert {name: one.count for name, one in monitors.failures.items()} == {"bad": 2}


async def test_more_than_can_be_judged_is_skipped_and_counted() -> None:
    record = Record()
    monitors = live(record, (monitor(), Says()), capacity=3)
    for _ in range(10):
        monitors.observe(SPAN)
    await monitors.close()
    assert (len(record.scores), monitors.skipped) == (3, 7)


async def test_closing_does_not_wait_for_a_judge_that_never_answers() -> None:
    class Slow(Says):
        async def score(self, subject: Subject) -> Score | None:
            await asyncio.Event().wait()
            return None

    record = Record()
    pairs = ((monitor(), Slow()),)
    monitors = LiveMonitors(lambda _: pairs, record, lambda: 77, grace_s=0.01)
    for _ in range(3):
        monitors.observe(SPAN)
    await asyncio.wait_for(monitors.close(), 5)
    assert (record.scores, monitors.skipped) == ([], 3)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_without_a_call() -> None:
    await live(Record()).close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@given(st.floats(0, 1), st.integers(0, 2**128 - 1))
def test_a_smaller_rate_samples_a_part_of_what_a_larger_one_does(rate: float, trace: int) -> None:
    trace_id = f"{trace:032x}"
    if sampled(monitor(rate / 2), trace_id):
        assert sampled(monitor(rate), trace_id)
    assert sampled(monitor(1.0), trace_id)
    assert not sampled(monitor(0.0), trace_id)


def test_the_rate_is_kept() -> None:
    taken = sum(sampled(monitor(0.3), f"{i:032x}") for i in range(4000))
    assert abs(taken / 4000 - 0.3) < 0.03


def test_a_scorer_that_needs_a_reference_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'says' needs a reference, which live calls don't have"):
        refuse_needs(Says(frozenset({"output", "reference"})))
    refuse_needs(Says())
