"""In which order a route tries its models: the policies.

Each is a function that makes an order for a request. The first model is the policy's choice; the rest is what to fall
back on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from noria.core.requests import Request
from noria.targets.fallback import Order
from noria.targets.load import Load
from noria.targets.released import fraction

Random = Callable[[], float]
"""Uniform in [0, 1)."""


def as_listed(count: int) -> Order:
    """Always in the order in which they are listed."""
    listed = range(count)
    return lambda _: listed


def by_weight(
    weights: Sequence[float], names: Sequence[str], *, route: str, key: Callable[[Request], str | None], random: Random
) -> Order:
    """Each model with its part of the calls; calls of one key go to one model.

    Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): when a model is added or taken out, only the keys
    that go to it, or went, change their model.

    Arguments:
        weights: of each model, above 0.
        names: of each model; they decide together with the key, so their order in the file does not.
        route: name of the route, which deals the keys anew.
        key: what a call's choice is kept by; None leaves it to chance.
        random: chance.
    """

    def order(request: Request) -> Sequence[int]:
        kept_by = key(request)
        draws = [random() if kept_by is None else fraction(f"{route}\0{name}", kept_by) for name in names]
        scores = [-math.log(max(draw, 2.0**-54)) / weight for draw, weight in zip(draws, weights, strict=True)]
        return sorted(range(len(names)), key=scores.__getitem__)

    return order


def by_outstanding(loads: Sequence[Load], random: Random) -> Order:
    """The model with fewer calls under way, of two that are drawn by lot."""
    return _of_two(lambda number: float(loads[number].outstanding), len(loads), random)


def by_latency(loads: Sequence[Load], random: Random) -> Order:
    """The model that is expected to begin its answer sooner, of two that are drawn by lot."""
    return _of_two(lambda number: loads[number].expected_s, len(loads), random)


def by_cost(estimates: Sequence[Callable[[Request], float | None]]) -> Order:
    """The cheapest for this very call first; those without a known price last."""

    def order(request: Request) -> Sequence[int]:
        costs = [estimate(request) for estimate in estimates]
        return sorted(range(len(costs)), key=lambda number: _unknown_last(costs[number]))

    return order


def _of_two(cost: Callable[[int], float], count: int, random: Random) -> Order:
    """The better of two comes first, then the others from the best on.

    To choose the best of all sends all of a moment's calls to one model; the better of two does not (Mitzenmacher,
    "The Power of Two Choices in Randomized Load Balancing", 2001).
    """

    def order(_: Request) -> Sequence[int]:
        lot = sorted(range(count), key=lambda _: random())
        first = min(lot[:2], key=cost)
        return [first, *sorted((number for number in lot if number != first), key=cost)]

    return order


def _unknown_last(cost: float | None) -> float:
    return math.inf if cost is None else cost
