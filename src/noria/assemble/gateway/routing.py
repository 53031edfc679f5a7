"""From a route of the configuration to a target."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence

from noria.core.errors import InvalidInput, Unavailable
from noria.core.events import Event, Sent
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.core.routes import Route
from noria.targets.fallback import Fallback, Member, Order
from noria.targets.load import Load
from noria.targets.ordering import as_listed, by_cost, by_latency, by_outstanding, by_weight
from noria.targets.shadowed import Shadow, Shadowed

Estimate = Callable[[Request, str], float | None]
"""What a request to a model may cost, US dollars; None where the price is unknown."""


def routed(
    name: str,
    route: Route,
    *,
    find: Callable[[str], Target],
    load: Callable[[str], Load],
    estimate: Estimate,
    mirror: Callable[[Target, Request], None],
) -> Target:
    """The target of a route.

    Arguments:
        name: what it is called.
        route: its models, and what decides.
        find: the target of one of them.
        load: how one of them stands.
        estimate: what a call of one may cost.
        mirror: makes a call in the background.
    """
    members = [Member(target, _found(find, target)) for target in route.targets]
    chain: Target = Fallback(
        name,
        members,
        _order(name, route, [load(target) for target in route.targets], estimate),
        also=frozenset(route.fall_back_on),
        may_continue=route.may_continue,
        max_cost_usd=route.max_cost_usd,
    )
    shadows = [Shadow(target, _as(target, _found(find, target)), rate) for target, rate in route.shadows.items()]
    return Shadowed(chain, of=name, shadows=shadows, mirror=mirror) if shadows else chain


def _order(name: str, route: Route, loads: Sequence[Load], estimate: Estimate) -> Order:
    match route.policy:
        case "weighted":
            weights = route.weights or (1.0,) * len(route.targets)
            return by_weight(weights, route.targets, route=name, key=_KEYS[route.sticky], random=random.random)
        case "least_outstanding":
            return by_outstanding(loads, random.random)
        case "latency":
            return by_latency(loads, random.random)
        case "cost":
            return by_cost([_for(model, estimate) for model in route.targets])
        case "priority":
            return as_listed(len(route.targets))


def _for(model: str, estimate: Estimate) -> Callable[[Request], float | None]:
    return lambda request: estimate(request, model)


_KEYS: dict[str, Callable[[Request], str | None]] = {
    "": lambda _: None,
    "session": lambda request: request.lineage.session_id,
    "user": lambda request: request.lineage.user_id,
}


def _as(model: str, target: Target) -> Target:
    """A chain of one: it sets the model's name."""
    return Fallback(model, [Member(model, target)], as_listed(1))


def _found(find: Callable[[str], Target], name: str) -> Target:
    """The target, or, where it can't be made (its key is missing, say), one that says why, so that others answer."""
    try:
        return find(name)
    except InvalidInput as error:
        return _Missing(name, error)


class _Missing:
    """A target that can't be called."""

    def __init__(self, name: str, why: InvalidInput) -> None:
        self._name = name
        self._why = why

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        yield Sent(request=request, provider=self._name.partition("/")[0], asked=False)
        why = self._why
        error = Unavailable(f"{self._name} can't be called: {why.message}", hint=why.hint, retry_after_s=60)
        error.inside = why.inside
        raise error
