"""Routes: names that stand for several models, and what decides between them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Literal

import msgspec

from noria.core.errors import InvalidInput
from noria.core.refusals import Check
from noria.core.struct import Noun

_NAME = re.compile(r"[!-~]+")


class Route(Noun, forbid_unknown_fields=True):
    """Models that answer to one name, and how one of them is chosen; the others are what to fall back on."""

    targets: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """The models, as ``provider/model``, or names of other routes."""
    policy: Literal["priority", "weighted", "least_outstanding", "latency", "cost"] = "priority"
    """Which is tried first: the first listed, one drawn by weight, the one with fewer calls under way, the one that
    begins its answers sooner, the cheapest for the call."""
    weights: tuple[float, ...] = ()
    """For ``weighted``: of each target, above 0; by default all are equal."""
    sticky: Literal["", "session", "user"] = ""
    """For ``weighted``: whose calls keep to one model, as long as it answers."""
    max_cost_usd: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """A model whose answer to the call may cost more, US dollars, is passed over."""
    fall_back_on: tuple[Literal["too_long", "refused"], ...] = ()
    """Refusals of a request after which the next target is tried too: of a prompt that is too long, or any."""
    may_continue: bool = False
    """Where an answer breaks off, the next target may go on from there."""
    shadows: dict[str, Annotated[float, msgspec.Meta(gt=0, le=1)]] = {}
    """Models or routes that a part of the calls, above 0 and at most 1, is mirrored to."""


def route_checks(
    routes: Mapping[str, Route], aliases: Mapping[str, str], is_provider: Callable[[str], bool]
) -> Iterator[Check]:
    """What refuses routes that could never work: checks, each with the place of what it is about.

    A check raises ``InvalidInput``, naming the route and what is wrong with it.

    Arguments:
        routes: by name.
        aliases: further names, each of one model or route.
        is_provider: whether a provider of that name is known.
    """
    leads_to = {name: (*route.targets, *route.shadows) for name, route in routes.items()}
    leads_to |= {name: (target,) for name, target in aliases.items()}
    for table, names in (("routes", routes), ("aliases", aliases)):
        for name in names:
            yield (table, name), partial(_check_name, name, table == "aliases" and name in routes)
    for table, names in (("routes", routes), ("aliases", aliases)):
        for name in names:
            yield (table, name, "targets"), partial(_check_targets, name, leads_to, is_provider)
    for name, route in routes.items():
        yield ("routes", name), partial(_check_weights, name, route)


def _check_name(name: str, twice: bool) -> None:
    if not _NAME.fullmatch(name) or "/" in name or "@" in name or "," in name:
        raise InvalidInput(f"A route or alias can't be called {name!r}: its name is plain, without `/`, `@` or `,`.")
    if twice:
        raise InvalidInput(f"{name!r} is a route and an alias; choose another name for one of them.")


def _check_targets(name: str, leads_to: Mapping[str, tuple[str, ...]], is_provider: Callable[[str], bool]) -> None:
    for target in leads_to[name]:
        provider, slash, model = target.partition("/")
        if not (slash and model and is_provider(provider)) and target not in leads_to:
            raise InvalidInput(
                f"Route {name!r}: {target!r} is neither a model of a known provider nor another route.",
                hint="Models are written provider/model; providers are named in noria.toml.",
            )
    if name in _reached(name, leads_to):
        raise InvalidInput(f"Route {name!r} leads back to itself.")


def _check_weights(name: str, route: Route) -> None:
    if len(set(route.targets)) < len(route.targets):
        raise InvalidInput(f"Route {name!r} names a target twice.", hint="Add up the weights.")
    if (route.weights or route.sticky) and route.policy != "weighted":
        raise InvalidInput(f'Route {name!r}: weights and sticky go with policy = "weighted" alone.')
    if route.weights and len(route.weights) != len(route.targets):
        raise InvalidInput(f"Route {name!r} has {len(route.targets)} targets and {len(route.weights)} weights.")
    if not all(weight > 0 and math.isfinite(weight) for weight in route.weights):
        raise InvalidInput(f"Route {name!r}: each weight is a number above 0.")


def _reached(name: str, leads_to: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Every name that a route leads to, over however many others."""
    found: set[str] = set()
    left = list(leads_to[name])
    while left:
        target = left.pop()
        if target not in found:
            found.add(target)
            left += leads_to.get(target, ())
    return found
