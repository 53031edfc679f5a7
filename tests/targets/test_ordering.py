"""Which model of a route is tried first."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.requests import Lineage, Request
from noria.targets.load import Load
from noria.targets.ordering import as_listed, by_cost, by_latency, by_outstanding, by_weight

from .contract import ASK


def user(name: object) -> Request:
    return Request(model="fast", lineage=Lineage(user_id=str(name)))


def weighted(weights: Sequence[float], names: str, route: str = "fast"):
    return by_weight(weights, names, route=route, key=lambda r: r.lineage.user_id, random=random.Random(3).random)


def test_as_listed() -> None:
    assert list(as_listed(3)(ASK)) == [0, 1, 2]


@settings(max_examples=20)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=4))
def test_every_model_has_its_part_and_is_there_to_fall_back_on(weights: list[float]) -> None:
    names = "abcd"[: len(weights)]
    order = weighted(weights, names)
    calls = 600
    by_user = Counter(order(user(number))[0] for number in range(calls))
    by_chance = Counter(order(ASK)[0] for _ in range(calls))
    for number, weight in enumerate(weights):
        part = weight / sum(weights)
        for counts in (by_user, by_chance):
            assert abs(counts[number] / calls - part) < 6 * (part * (1 - part) / calls) ** 0.5 + 1e-9
    assert sorted(order(ASK)) == list(range(len(weights)))


def test_a_user_keeps_a_model_and_only_those_of_a_lost_one_move() -> None:
    three, two = weighted([1, 1, 1], "abc"), weighted([1, 1], "ab")
    for number in range(200):
        before = "abc"[three(user(number))[0]]
        assert "abc"[three(user(number))[0]] == before
        if before != "c":
            assert "ab"[two(user(number))[0]] == before
    other = weighted([1, 1, 1], "abc", route="slow")
    assert 100 < sum(other(user(n))[0] != three(user(n))[0] for n in range(200)) < 170


def test_fewer_calls_under_way_come_first() -> None:
    loads = [Load(lambda: 0.0) for _ in range(3)]
    for _ in range(5):
        loads[0].starts()
    loads[1].starts()
    order = by_outstanding(loads, random.Random(1).random)
    firsts = Counter(order(ASK)[0] for _ in range(300))
    assert firsts[0] == 0  # whoever it is drawn with has fewer
    assert firsts[2] > firsts[1] > 0  # 1 is first where it is drawn with 0
    assert {tuple(order(ASK)[1:]) for _ in range(100)} == {(1, 0), (2, 0)}


def test_the_sooner_answer_comes_first() -> None:
    now = 0.0
    loads = [Load(lambda: now) for _ in range(2)]
    for load, ttft_s in zip(loads, (0.8, 0.1), strict=True):
        watch = load.starts()
        now += ttft_s
        watch.speaks()
        watch.ends("answered")
    order = by_latency(loads, random.Random(1).random)
    assert {order(ASK)[0] for _ in range(50)} == {1}
    for _ in range(20):
        loads[1].starts()
    assert {order(ASK)[0] for _ in range(50)} == {0}


def test_the_cheapest_comes_first_and_unknown_prices_last() -> None:
    order = by_cost([lambda _: None, lambda _: 0.2, lambda _: 0.1])
    assert list(order(ASK)) == [2, 1, 0]
