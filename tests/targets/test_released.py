"""A release as a target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Lineage, Request, TraceContext, request_id
from noria.targets.released import Released, fraction, sticky_key
from noria.targets.scripted import Scripted, answer

from .contract import ASK, sent_through

USER = Message(role="user", content="Is it?")


def by_user(user: int | str, **lineage: str) -> Request:
    return Request(model="boolq", lineage=Lineage(user_id=str(user), **lineage))


async def chosen(release_id: str, weights: Sequence[float], request: Request) -> int:
    shares = [(Scripted(lambda _, i=i: answer(str(i))), weight) for i, weight in enumerate(weights)]
    return int((await collect(Released("boolq", shares, release_id).call(request))).text)


async def test_a_release_is_stamped() -> None:
    released = Released("boolq", [(Scripted(lambda _: answer("x")), 1)], "release_1")
    request = await sent_through(released, ASK)
    assert (request.lineage.app, request.lineage.release_id) == ("boolq", "release_1")


@given(st.lists(st.floats(0.05, 10), min_size=1, max_size=4), st.text(min_size=1, max_size=8))
def test_shares_are_as_wide_as_their_weights(weights: list[float], release: str) -> None:
    targets = [Scripted(lambda _: answer("x")) for _ in weights]
    released = Released("boolq", list(zip(targets, weights, strict=True)), release)
    users = 1_000
    counts = Counter(released._chosen(by_user(user)) for user in range(users))
    for i, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(counts[i] / users - share) < 6 * (share * (1 - share) / users) ** 0.5 + 1e-9  # 6 standard errors


@given(st.text(), st.text())
def test_a_fraction_is_one_and_its_own(release: str, key: str) -> None:
    assert 0 <= fraction(release, key) < 1
    assert fraction(release, key) == fraction(release, key)


async def test_a_user_keeps_a_variant_whatever_they_ask() -> None:
    shares = [1.0, 1.0, 1.0]
    first = await chosen("release_1", shares, by_user("ann"))
    again = msgspec.structs.replace(
        by_user("ann", session_id="s"), messages=(USER,), trace=TraceContext(trace_id="1" * 32)
    )
    assert await chosen("release_1", shares, again) == first


async def test_a_new_release_deals_anew() -> None:
    one = [await chosen("release_1", [1, 1], by_user(user)) for user in range(40)]
    two = [await chosen("release_2", [1, 1], by_user(user)) for user in range(40)]
    assert 5 < sum(a != b for a, b in zip(one, two, strict=True)) < 35


def test_stickiness_goes_by_user_then_session_then_trace() -> None:
    trace = TraceContext(trace_id="1" * 32)
    both = Request(model="m", lineage=Lineage(user_id="u", session_id="s"), trace=trace)
    assert sticky_key(both) == "user:u"
    assert sticky_key(Request(model="m", lineage=Lineage(session_id="s"), trace=trace)) == "session:s"
    assert sticky_key(Request(model="m", trace=trace)) == "trace:" + "1" * 32
    assert sticky_key(ASK) == request_id(ASK)


@pytest.mark.parametrize("weights", [[], [0.0], [1.0, -1.0], [float("nan")], [float("inf")]])
def test_shares_that_are_none(weights: list[float]) -> None:
    with pytest.raises(InvalidInput, match="release of `boolq`"):
        Released("boolq", [(Scripted(lambda _: answer("x")), weight) for weight in weights], "r")
