"""From a name to a target: how the small targets are put around each other.

    name                      answers
    route, alias              one of several models, as noria.toml says
    app                       the release in force: released([variant, ...])
    app@variant               one variant of an app
    app@label                 its release labelled so; ``production`` is what the app's own name stands for
    local/model               an engine on this machine
    provider/model            a configured server

A variant is ``AsVariant(Prompted(provider))``; evaluation puts the response cache around the provider. A provider is
``Capped(Retrying(Bounded(Observed(Remote))))``. For an experiment it is ``Retrying(Remote)``: a case can wait where a caller
must be told, and a failed one spoils the comparison.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from noria.adapt.prompts import render
from noria.assemble.clock import now
from noria.assemble.gateway.caching import Caches
from noria.assemble.gateway.guarding import Guards
from noria.assemble.gateway.routing import routed
from noria.assemble.gateway.standing import Standing
from noria.assemble.local.engines import Engines
from noria.assemble.providers.configured import Configured, Stored, check_kinds, configured
from noria.core.apps import PRODUCTION, App, Release, Variant
from noria.core.errors import InvalidInput, UnknownName
from noria.core.models import LocalModel
from noria.core.named_models import named_models
from noria.core.protocols import Endpoint, Target
from noria.core.requests import Request, replace_lineage
from noria.core.spans import Span
from noria.scorers.schemas import reading
from noria.settings import Provider, Settings
from noria.stores.catalogue import Catalogue
from noria.targets.base_url import shown_url
from noria.targets.bounded import Bounded
from noria.targets.cached import Cached
from noria.targets.capped import Capped
from noria.targets.checking import Checks
from noria.targets.counting import Counting, Estimated
from noria.targets.egress import Egress, Timeouts
from noria.targets.forced import Forced
from noria.targets.load import Load
from noria.targets.local import Local
from noria.targets.observed import Observed, Observer
from noria.targets.pricing import Prices
from noria.targets.prompted import Prompted
from noria.targets.redacting import Secrets
from noria.targets.released import Released
from noria.targets.remote import Remote
from noria.targets.retrying import Retrying
from noria.targets.shadowed import Shadow, Shadowed
from noria.targets.structured import Structured
from noria.targets.variant import AsVariant
from noria.wires.anthropic import Anthropic
from noria.wires.openai_chat import OpenAIChat
from noria.wires.wire import WireOut

_LONGEST_WAIT_S = 20.0
"""Seconds that a provider is waited for before it is tried again; one that asks for more is not."""
_HURRIED_S = 2.0
"""The same where another model can answer in its place."""
_MOST_KNOWN = 10_000
"""Names that are kept with their targets; callers choose them, so there could be any number."""
Lookup = Callable[[str], Awaitable[Span | None]]
"""The response cache: request id -> the span that answered it."""


class Answers:
    """Finds the target of a name, and keeps it until the catalogue changes.

    Arguments:
        settings: the configured providers and routes.
        environ: where their keys are.
        catalogue: apps, variants, prompts and local models.
        engines: the local models' engines.
        egress: sends the calls.
        caches: what is answered from kept replies.
        prices: what calls cost.
        mirror: makes a call in the background, for shadows.
        guards: what is checked.
        stored: keys of providers that are encrypted at rest.
        secrets: what no error may show.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        catalogue: Catalogue,
        engines: Engines,
        egress: Egress,
        caches: Caches,
        prices: Prices,
        mirror: Callable[[Target, Request], None],
        guards: Guards,
        stored: Stored,
        secrets: Secrets,
    ) -> None:
        check_kinds(settings)
        self._stored = stored
        self._secrets = secrets
        self.checks = Checks(reading)
        """Holds replies to their schemas."""
        self._settings = settings
        self._prices = prices
        self._mirror = mirror
        self.standing = Standing()
        """How providers and models stand."""
        self._environ = environ
        self._catalogue = catalogue
        self._engines = engines
        self._egress = egress
        self._caches = caches
        self._guards = guards
        self._known: dict[str, Target] = {}
        self._as_of = -1

    def resolve(self, name: str) -> Target:
        """The target of ``name``.

        Raises:
            UnknownName: nobody is called so.
        """
        changes = self._catalogue.changes
        if changes != self._as_of or len(self._known) >= _MOST_KNOWN:
            self._known, self._as_of = {}, changes
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def configure(self, settings: Settings) -> None:
        """Take providers, routes, guards and caches from these settings from now on. Calls under way end as they began.

        Raises:
            InvalidInput: a provider could never be called, or a guard put into force; then all stays as it was.
        """
        check_kinds(settings)
        self._guards = self._guards.anew(settings.guards, settings.aliases)
        self._caches.become(settings)
        self._settings, self._known = settings, {}

    def variant(
        self,
        variant: Variant,
        lookup: Lookup | None = None,
        *,
        app: str = "",
        named: Sequence[str] = (),
        patient: bool = False,
    ) -> Target:
        """A variant as a target; with ``lookup``, replies to the same request are taken from the record.

        Arguments:
            variant: the model, its parameters and its prompt.
            lookup: the response cache of experiments.
            app: whose live calls it answers, which may be answered from kept replies.
            named: what it is called in the app, for guards that are on it alone.
            patient: for an experiment, see :meth:`model`.

        Raises:
            UnknownName: its model, prompt or provider is gone, or its model's name now stands for another set-up.
        """
        if variant.model_id is None:
            inner = self.model(variant.model, patient=patient)
        else:
            inner = self._local(self._set_up(variant.model, variant.model_id))
        if lookup is not None:
            inner = Cached(inner, lookup, server=self._server(variant.model))
        if app:
            inner = self._live(app, inner, server=variant.model_id or self._behind(variant.model), variants=named)
        if variant.prompt_id is not None:
            prompt = self._catalogue.prompts.by_id(variant.prompt_id)
            inner = Prompted(inner, prompt, variant.prompt_id, render)
        return AsVariant(inner, variant, variant.id)

    def model(self, name: str, *, patient: bool = False, others: bool = False) -> Target:
        """``local/model``, ``provider/model``, or a route.

        Arguments:
            name: the model's.
            patient: call it without a breaker, a line or a budget of retries.
            others: another model can answer in its place, so no long wait is worth it.

        Raises:
            UnknownName: no such model or provider.
            InvalidInput: the provider's key is not in the environment.
        """
        route = self._settings.route(name)
        if route is not None:
            return routed(
                name,
                route,
                find=lambda target: self.model(target, patient=patient, others=others or len(route.targets) > 1),
                load=self._load,
                estimate=self._cost,
                mirror=self._mirror,
            )
        provider_name, _, model = name.partition("/")
        if not model:
            raise UnknownName(
                f"{name!r} names no model.", hint="Models are called `provider/model`, such as `local/smollm2-135m`."
            )
        if provider_name == "local":
            return self._local(self._catalogue.models.get(model))
        return self._remote(provider_name, model, patient=patient, others=others)

    def _remote(self, provider_name: str, model: str, *, patient: bool, others: bool) -> Target:
        there = configured(provider_name, self._settings, self._environ, self._stored)
        self._secrets.add(there.key)
        provider = there.provider
        inner = self._spoken(provider_name, there, model)
        if not there.counts:
            inner = Counting(inner, Estimated(provider_name))
        if patient:
            held = Structured(inner, self.checks.reader)
            return Retrying(held, attempts=provider.attempts, sleep=asyncio.sleep, random=random.random)
        name = f"{provider_name}/{model}"
        whole, one = self.standing.provider(provider_name, provider), self.standing.model(name, provider)
        observers: list[Observer] = [one.load] if one.breaker is None else [one.breaker, one.load]
        inner = Observed(inner, observers, provider=provider_name)
        if whole.slots is not None:
            inner = Bounded(inner, whole.slots, provider=provider_name)
        inner = Retrying(
            Structured(inner, self.checks.reader),
            attempts=provider.attempts,
            sleep=asyncio.sleep,
            random=random.random,
            longest_wait_s=_HURRIED_S if others else _LONGEST_WAIT_S,
            insistent=not others,
            budget=whole.budget,
        )
        return Capped(inner, provider=provider_name, estimate=lambda request: self._dearest(request, name))

    def _spoken(self, provider_name: str, there: Configured, model: str) -> Target:
        """A provider's model, over its wire or through the library that speaks for it."""
        provider = there.provider
        if there.library is not None:
            return there.library(
                there.wire,
                base_url=provider.base_url,
                api_key=there.key,
                provider=provider_name,
                model=model,
                stream=provider.stream,
                timeouts=_timeouts(provider),
                secrets=self._secrets,
            )
        return Remote(
            self._egress,
            there.wire_of(model),
            base_url=provider.base_url,
            api_key=there.key,
            headers=provider.headers,
            provider=provider_name,
            model=model,
            stream=provider.stream,
            timeouts=_timeouts(provider),
            private=provider.private,
            secrets=self._secrets,
        )

    def _load(self, target: str) -> Load:
        """How a model stands; a route that another leads to has a load of its own, which nobody measures."""
        provider = self._settings.provider(target.partition("/")[0])
        return self.standing.model(target, provider).load

    def _dearest(self, request: Request, model: str) -> float | None:
        """What a call may cost whichever of the models answers that it names in the provider's own fields."""
        provider = model.partition("/")[0]
        names = [model, *(f"{provider}/{name}" for _, name in named_models(request))]
        costs = [self._cost(request, name) for name in names]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None

    def _cost(self, request: Request, model: str) -> float | None:
        """What a call may cost; of a route what its first model would."""
        while (route := self._settings.route(model)) is not None:
            model = route.targets[0]
        provider, _, name = model.partition("/")
        return self._prices.estimate(request, provider, name, now())

    def _server(self, model: str) -> str:
        name = model.partition("/")[0]
        provider = self._settings.provider(name)
        return shown_url(provider.base_url, name) if provider else ""

    def _live(self, name: str, inner: Target, *, server: str, variants: Sequence[str] = ()) -> Target:
        """What stands around a model in live calls. Guards are outside of the cache: today's check yesterday's reply, too."""
        called = [f"{name.partition('@')[0]}@{variant}" for variant in variants] or [name]
        return self._guards.around(called, self._caches.around(name, inner, server=server))

    def _behind(self, name: str) -> str:
        """What stands behind a model's name now: a local set-up's id, a base URL, or all that a route leads to."""
        route = self._settings.route(name)
        if route is not None:
            return "; ".join(f"{target} at {self._behind(target)}" for target in route.targets)
        provider, _, model = name.partition("/")
        return self._catalogue.models.get(model).id if provider == "local" else self._server(name)

    def _find(self, name: str) -> Target:
        if "/" in name or self._settings.route(name) is not None:
            return self._live(name, self.model(name), server=self._behind(name))
        app_name, _, variant_name = name.partition("@")
        app = self._catalogue.apps.get(app_name)
        for named in app.variants:
            if named.name == variant_name:
                target = self.variant(named.variant, app=name, named=_names(app, named.variant_id))
                return Released(app_name, [(target, 1.0)], "")
        return self._released(app, variant_name or PRODUCTION, name)

    def _released(self, app: App, label: str, name: str) -> Target:
        """The release of an app that is in force under a label; ``name`` is what was called."""
        release = app.released(label)
        if release is None and label != PRODUCTION:
            names = ", ".join(named.name for named in app.variants) or "none yet"
            labels = ", ".join(made.label for made in app.in_force) or "none yet"
            raise UnknownName(
                f"App {app.name!r} has no variant {label!r} (it has: {names}), and no release with that label ({labels})."
            )
        if release is None:
            raise InvalidInput(
                f"App {app.name!r} has no release, so nobody answers it.",
                hint=f"Run `noria promote {app.name} VARIANT`, or call {app.name}@VARIANT.",
            )
        shares = [
            (
                self.variant(
                    self._catalogue.apps.variant(share.variant_id), app=name, named=_names(app, share.variant_id)
                ),
                share.weight,
            )
            for share in release.shares
        ]
        released = Released(app.name, shares, release.id)
        return self._shadowed(released, release) if release.shadows else released

    def _shadowed(self, released: Target, release: Release) -> Target:
        def mirror(target: Target, request: Request) -> None:
            self._mirror(target, replace_lineage(request, release_id=release.id))

        shadows = [
            Shadow(share.variant_id, self.variant(self._catalogue.apps.variant(share.variant_id)), share.weight)
            for share in release.shadows
        ]
        return Shadowed(released, of=release.app, shadows=shadows, mirror=mirror)

    def _set_up(self, name: str, model_id: str) -> LocalModel:
        """The set-up that a variant was made with, whatever its model's name stands for by now."""
        for model in self._catalogue.models.list():
            if model.id == model_id:
                return model
        raise UnknownName(
            f"{name} is no longer the set-up that this variant was made with: its weights or engine options differ.",
            kept="The variant and its records are kept.",
            hint="Pull the model again with the old options, or make a new variant.",
        )

    def _local(self, model: LocalModel) -> Target:
        def spoken(endpoint: Endpoint, wire: WireOut) -> Target:
            return Remote(
                self._egress,
                wire,
                base_url=endpoint.base_url,
                api_key=endpoint.api_key,
                provider="local",
                model=endpoint.model,
                kept=False,
            )

        def remote(endpoint: Endpoint) -> Target:
            return Counting(spoken(endpoint, OpenAIChat()), spoken(endpoint, Anthropic()))

        local = Local(self._engines.engine(model), remote, model_id=model.id)
        load = self.standing.model(f"local/{model.name}", None).load
        observed = Observed(local, [load], provider="local")
        return Retrying(Forced(observed), attempts=2, sleep=asyncio.sleep, random=random.random)


def _names(app: App, variant_id: str) -> list[str]:
    """What a variant is called in an app; a released one may have no name any more."""
    return [named.name for named in app.variants if named.variant_id == variant_id]


def _timeouts(provider: Provider) -> Timeouts:
    return Timeouts(
        connect_s=provider.connect_timeout_s,
        first_byte_s=provider.first_token_timeout_s,
        idle_s=provider.idle_timeout_s,
        total_s=provider.total_timeout_s,
    )
