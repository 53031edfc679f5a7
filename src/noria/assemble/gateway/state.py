"""How the gateway stands, in one picture for people: providers, models, routes, places, kept replies, guards.

It is what this process, and its workers, have seen since the start. What is on record, such as latencies and money, is asked of the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

from noria.assemble.gateway.measuring import CallMetrics
from noria.assemble.gateway.standing import ModelStanding, ProviderStanding, Standing
from noria.assemble.providers.configured import Stored, configured
from noria.core.caching import CachePolicy
from noria.core.errors import NoriaError
from noria.core.guards import GuardRule
from noria.core.routes import Route
from noria.core.struct import Noun
from noria.settings import BUILT_IN_PROVIDERS, Provider, Settings
from noria.targets.base_url import shown_url
from noria.targets.slots import Slots


class ModelState(Noun):
    """One model that was called."""

    model: str
    """``provider/model``."""
    breaker: Literal["closed", "open", "half_open", "none"] = "none"
    """Whether calls go through: ``open`` lets none through for a while, ``half_open`` one at a time; ``none`` where nothing
    would stop them."""
    opened: int = 0
    """How many times the breaker opened."""
    outstanding: int = 0
    """Calls under way."""
    calls: int = 0
    """Calls that ended within the breaker's window."""
    failed: int = 0
    """Those of them that failed."""
    ttft_s: float | None = None
    """Time to first token as lately seen, seconds; None where nothing was seen lately."""


class Places(Noun):
    """Calls at a time."""

    running: int = 0
    """Calls under way."""
    most: int = 0
    """How many there may be; 0 for any number."""
    waiting: int = 0
    """Calls that wait for a place."""
    most_waiting: int = 0
    """How many may wait."""
    shed: int = 0
    """Calls that were turned away."""


class ProviderState(Noun):
    """One provider."""

    name: str
    """Its name; ``local`` for the engines of this machine."""
    kind: str = ""
    """What it speaks."""
    base_url: str = ""
    """Where it is."""
    ready: bool = True
    """Whether it can be called: its key is there."""
    why_not: str = ""
    """Why it can't."""
    places: Places = Places()
    """Calls at a time."""
    retries: int = 0
    """Calls that were made again."""
    retries_refused: int = 0
    """Those that were not, because the budget of retries was used up."""
    models: tuple[ModelState, ...] = ()
    """Its models that were called, by name."""


class RouteState(Noun):
    """One route or alias."""

    name: str
    """What it is called."""
    route: Route
    """Where it leads."""
    alias: bool = False
    """Whether it is only another name."""


class CacheState(Noun):
    """What kept replies do."""

    policies: dict[str, CachePolicy] = {}
    """By the app or model that is called."""
    replies: int = 0
    """Kept replies."""
    bytes: int = 0
    """Their size."""
    most_bytes: int = 0
    """How large they may be, together."""
    calls: dict[str, int] = {}
    """Calls by what the cache did: ``hit``, ``miss``, ``skip``."""
    saved_usd: float = 0.0
    """What calls would have cost that kept replies answered, US dollars."""


class GuardState(Noun):
    """A guard in force."""

    rule: GuardRule
    """What it checks, where, and what follows."""
    findings: dict[str, int] = {}
    """What it found, by what was done."""


class GatewayState(Noun):
    """How the gateway stands."""

    since_ns: int
    """Since when calls are counted, nanoseconds since 1970 UTC."""
    places: Places
    """Calls at a time, of all."""
    providers: tuple[ProviderState, ...] = ()
    """Those that are configured, and well-known ones whose key is there."""
    routes: tuple[RouteState, ...] = ()
    """Names that stand for models."""
    cache: CacheState = CacheState()
    """Kept replies."""
    guards: tuple[GuardState, ...] = ()
    """Guards in force."""


async def gateway_state(
    settings: Settings,
    standing: Standing,
    slots: Slots,
    calls: CallMetrics,
    kept: Mapping[str, float],
    *,
    since_ns: int,
    environ: Mapping[str, str],
    stored: Stored,
) -> GatewayState:
    """The picture as of now.

    Arguments:
        settings: those in force.
        standing: how providers and models stand.
        slots: places of all calls.
        calls: what was counted.
        kept: numbers of kept replies, as ``/metrics`` shows them.
        since_ns: when the process began.
        environ: where providers' keys are.
        stored: finds stored keys.
    """
    built_in = [name for name, there in BUILT_IN_PROVIDERS.items() if environ.get(there.api_key_env)]
    names = list(dict.fromkeys([*settings.providers, *built_in, *standing.providers]))

    there = await asyncio.to_thread(lambda: {name: _there(name, settings, environ, stored) for name in names})
    providers = [_provider(name, settings.provider(name), standing.providers.get(name), *there[name]) for name in names]
    if standing.local:
        providers.append(ProviderState(name="local", kind="engine", models=models_of(standing.local)))
    routes = [RouteState(name=name, route=route) for name, route in settings.routes.items()]
    aliases = [RouteState(name=name, route=Route(targets=(to,)), alias=True) for name, to in settings.aliases.items()]
    return GatewayState(
        since_ns=since_ns,
        places=places_of(slots),
        providers=tuple(providers),
        routes=(*routes, *aliases),
        cache=CacheState(
            policies=settings.caches,
            replies=int(kept.get("noria_cache_replies", 0)),
            bytes=int(kept.get("noria_cache_bytes", 0)),
            most_bytes=settings.cache_mb * 1_000_000,
            calls=calls.cached,
            saved_usd=calls.saved_usd,
        ),
        guards=tuple(GuardState(rule=rule, findings=calls.found_by(rule.title)) for rule in settings.guards),
    )


def _there(name: str, settings: Settings, environ: Mapping[str, str], stored: Stored) -> tuple[str, str]:
    """Where a provider is, and why it can't be called; its key may be in a file."""
    url = ""
    try:
        provider = settings.provider(name)
        url = shown_url(provider.base_url, name) if provider else ""
        configured(name, settings, environ, stored)
    except NoriaError as error:
        return url, f"{error.message} {error.inside}".rstrip()
    return url, ""


def _provider(
    name: str, provider: Provider | None, found: ProviderStanding | None, url: str, why_not: str
) -> ProviderState:
    models = models_of(found.models) if found else ()
    most = provider.max_calls if provider else 0
    places = Places(running=sum(model.outstanding for model in models), most=most)
    return ProviderState(
        name=name,
        kind=provider.kind if provider else "",
        base_url=url,
        ready=not why_not,
        why_not=why_not,
        places=places_of(found.slots) if found and found.slots else places,
        retries=found.budget.taken if found else 0,
        retries_refused=found.budget.refused if found else 0,
        models=models,
    )


def models_of(models: Mapping[str, ModelStanding]) -> tuple[ModelState, ...]:
    """How models stand, by name."""
    return tuple(_model(name, one) for name, one in sorted(models.items()))


def _model(name: str, one: ModelStanding) -> ModelState:
    calls, failed = one.breaker.seen if one.breaker else (0, 0)
    return ModelState(
        model=name,
        breaker=one.breaker.state if one.breaker else "none",
        opened=one.breaker.opened if one.breaker else 0,
        outstanding=one.load.outstanding,
        calls=calls,
        failed=failed,
        ttft_s=round(one.load.ttft_s, 4) or None,
    )


def places_of(slots: Slots) -> Places:
    """How places stand."""
    return Places(
        running=slots.taken, most=slots.most, waiting=slots.waiting, most_waiting=slots.most_waiting, shed=slots.shed
    )
