"""What breaks off was paid too: it counts in limits once, and stands on the record with its cost."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from noria.core.answering import answer as answered
from noria.core.errors import CallCut, CallFailed, NoriaError
from noria.core.events import Delta, Event, Sent, Started, Stopped, Used
from noria.core.guards import Checked, Flaw, GuardRule
from noria.core.limits import Limit
from noria.core.messages import Message
from noria.core.prices import AgreedPrice
from noria.core.protocols import Target
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request, Tool
from noria.core.spans import Span
from noria.scorers.schemas import reading
from noria.stores.catalogue import Catalogue
from noria.targets.allowances import Allowances, Counted
from noria.targets.checking import Checks
from noria.targets.fallback import Fallback, Member
from noria.targets.forced import Forced
from noria.targets.guard_checks import InForce
from noria.targets.guarded import Guarded
from noria.targets.limited import Limited
from noria.targets.ordering import as_listed
from noria.targets.pricing import Prices
from noria.targets.recorded import Recorded
from noria.targets.recording import random_ids
from noria.targets.retrying import Retrying
from noria.targets.scripted import Scripted, answer
from noria.targets.structured import Structured

from .keeping import keeping

NOW = 1_767_225_600 * 10**9
PROMPT = 104
"""Tokens that the prompt of :data:`ASK` is expected to have."""
ASK = Request(model="p0/m", messages=(Message(role="user", content="x" * 300),), params=Parameters(max_tokens=50))
PRICES = Prices({"*": AgreedPrice(input_per_mtok=1_000_000.0, output_per_mtok=1_000_000.0)})
"""A dollar a token, so that cost says what tokens do."""
CUT = CallCut("Cut.")
SAID = [Started(id="r", model="m"), Delta(text="x" * 30)]
"""10 tokens."""
USED = Used(usage=Usage(input_tokens=40, output_tokens=2))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(f"sqlite:///{tmp_path / 'c.sqlite'}", now=lambda: NOW) as found:
        yield found


Made = Callable[..., Awaitable[tuple[int, Span]]]
"""Calls a target: the tokens that a limit has counted of the call, and its span."""


@pytest.fixture(params=["events", "told", "whole"])
def made(request: pytest.FixtureRequest, catalogue: Catalogue) -> Made:
    """Calls in all ways in which targets can be called; with ``most`` a stream's caller goes away after so many events."""
    streamed = {"events": None, "told": True, "whole": False}[request.param]

    async def call(target: Target, ask: Request = ASK, *, most: int | None = None) -> tuple[int, Span]:
        spans: list[Span] = []

        def tell(_: Event) -> None:
            return None

        limit = Counted(Limit(name="l", measure="tokens", amount=10_000, of="team"), "l", "care")
        allowances = Allowances(catalogue.limits, "me", lambda: NOW)
        limited = Limited(target, lambda _: [limit], allowances, PRICES, lambda: NOW)
        recorded = Recorded(limited, keeping(spans), now=lambda: NOW, new_ids=random_ids, price=PRICES.of_span)
        with contextlib.suppress(NoriaError):
            if streamed is not None and most is None:
                await answered(recorded, msgspec.structs.replace(ask, stream=streamed), tell)
            else:
                events = recorded.call(ask)
                with contextlib.suppress(StopAsyncIteration):
                    for _ in range(most or 1000):
                        await anext(events)
                await events.aclose()
        await allowances.close()
        [span] = spans
        return sum(used for _, _, used in catalogue.limits.used(NOW)), span

    return call


def scripted(*scripts: Sequence[Event | NoriaError], emulated: bool = False) -> Scripted:
    """A model of ``p0`` that says one after the other."""
    left = iter(scripts)
    names = ("response_schema",) if emulated else ()
    return Scripted(lambda request: [Sent(request=request, provider="p0", emulated=names), *next(left)], provider="p0")


async def at_once(_: float) -> None:
    return None


def again(inner: Target) -> Target:
    return Retrying(inner, sleep=at_once, random=lambda: 0.5)


async def test_an_answer_that_was_not_taken_is_paid_beside_the_one_that_was(made: Made) -> None:
    """The provider counted 42 tokens of the first, and 9 of the second."""
    wrong = [Started(), Delta(text="No."), Stopped(), USED]
    right = answer('{"a": 1}')
    counted = next(event.usage for event in right if isinstance(event, Used))
    whole = counted.input_tokens + counted.output_tokens
    ask = msgspec.structs.replace(ASK, params=Parameters(response_schema={"type": "object"}, max_tokens=50))
    model = again(Structured(scripted(wrong, right, emulated=True), Checks(reading).reader))
    used, span = await made(model, ask)
    assert span.status == "ok"
    assert used == 42 + whole
    assert span.cost_usd == used
    assert span.input_tokens == counted.input_tokens
    [spent] = span.attributes["noria.spent"]
    assert spent == {"model": "p0/m", "usage": {"input_tokens": 40, "output_tokens": 2}, "counted": True}


async def test_where_the_last_answer_is_not_taken_either_all_of_them_are_paid(made: Made) -> None:
    wrong = [Started(), Delta(text="No."), Stopped(), USED]
    ask = msgspec.structs.replace(ASK, params=Parameters(response_schema={"type": "object"}, max_tokens=50))
    model = again(Structured(scripted(wrong, wrong, wrong, emulated=True), Checks(reading).reader))
    used, span = await made(model, ask)
    assert (span.status, used, span.cost_usd) == ("error", 126, 126.0)
    assert span.input_tokens is None, "no reply is on record whose tokens these would be"
    assert span.estimated_tokens is None, "they were counted"


@pytest.mark.parametrize(
    ("first", "spent"),
    [
        (SAID[:1], PROMPT),
        ([], 0),
    ],
    ids=["it had begun", "it said nothing"],
)
async def test_an_attempt_before_is_paid_as_far_as_it_came(made: Made, first: list[Event], spent: int) -> None:
    used, span = await made(again(scripted([*first, CUT], [*SAID, Stopped(), USED])))
    assert (span.status, used, span.cost_usd) == ("ok", spent + 42, spent + 42.0)


async def test_the_one_that_broke_off_is_paid_beside_the_one_that_went_on(made: Made) -> None:
    broke, goes_on = scripted([*SAID, CUT]), Scripted(lambda _: [Delta(text="y"), Stopped(), USED], provider="p1")
    route = Fallback("r", [Member("p0/m", broke), Member("p1/m", goes_on)], as_listed(2), may_continue=True)
    used, span = await made(route)
    assert span.status == "ok"
    assert (used, span.cost_usd) == (PROMPT + 10 + 42, PROMPT + 10 + 42.0)
    [spent] = span.attributes["noria.spent"]
    assert (spent["model"], spent.get("counted", False)) == ("p0/m", False)
    assert span.estimated_tokens is None, "the reply has its count"


@pytest.mark.parametrize("most", [None, 3])
async def test_a_reply_that_is_cut_or_left_has_an_estimate_of_its_cost(made: Made, most: int | None) -> None:
    used, span = await made(again(scripted([*SAID, CUT])), most=most)
    assert span.status == ("error" if most is None else "cancelled")
    assert (used, span.cost_usd) == (PROMPT + 10, PROMPT + 10.0)
    assert (span.input_tokens, span.output_tokens) == (None, None)
    assert span.estimated_tokens == (PROMPT, 10)
    assert len(span.attributes["noria.spent"]) == 1


async def test_what_was_refused_costs_nothing(made: Made) -> None:
    used, span = await made(again(scripted([CallFailed("No.")])))
    assert (used, span.cost_usd, "noria.spent" in span.attributes) == (0, None, False)


class Blocks:
    version, reach = "1", 8

    async def check(self, checked: Checked) -> list[Flaw]:
        return [Flaw(start=0, end=1, reason="Not this.")] if "x" * 30 in checked.text else []


async def test_a_reply_that_a_guard_held_back_and_stopped_is_paid(made: Made) -> None:
    rule = GuardRule(kind="blocks", places=("output",))
    guarded = Guarded(scripted([*SAID, Stopped(), USED]), [InForce(Blocks(), rule)])
    used, span = await made(guarded)
    assert (span.error_type, used, span.cost_usd) == ("blocked", 42, 42.0)


async def test_a_forced_call_that_is_none_is_paid(made: Made) -> None:
    ask = msgspec.structs.replace(ASK, tools=(Tool(name="f"),), tool_choice="required")
    used, span = await made(Forced(scripted([*SAID, Stopped(), USED])), ask)
    assert span.status == "error"
    assert used > PROMPT, "the tools told in words are in it"
    assert span.cost_usd == used


async def test_the_next_attempt_needs_room_beside_what_broke_off(catalogue: Catalogue) -> None:
    """154 tokens are expected of each; the first broke off after 114, and 200 may pass."""
    limit = Counted(Limit(name="l", measure="tokens", amount=200, of="team"), "l", "care")
    broke, never = scripted([*SAID, CUT]), Scripted(lambda _: answer("y"), provider="p1")
    route = Fallback("r", [Member("p0/m", broke), Member("p1/m", never)], as_listed(2), may_continue=True)
    allowances = Allowances(catalogue.limits, "me", lambda: NOW)
    events = Limited(route, lambda _: [limit], allowances, PRICES, lambda: NOW).call(ASK)
    with pytest.raises(NoriaError, match="The limit 'l' is reached: 200 tokens a minute for team 'care'"):
        async for _ in events:
            pass
    await allowances.close()
    assert [used for _, _, used in catalogue.limits.used(NOW)] == [PROMPT + 10]


def test_what_spans_from_elsewhere_claim_is_no_cost() -> None:
    span = Span(trace_id="1" * 32, span_id="2" * 16, name="x", start_ns=1, end_ns=2)
    for claim in ("x", [1], [{"model": 5}], {"a": 1}, None):
        assert PRICES.of_span(msgspec.structs.replace(span, attributes={"noria.spent": claim})) is None
