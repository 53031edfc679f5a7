"""From a name to a target: how the small targets are put around each other.

    name                      answers
    app                       the release in force: released([variant, ...])
    app@variant               one variant of an app
    local/model               an engine on this machine
    provider/model            a configured server

A variant is ``AsVariant(Prompted(provider))``; evaluation puts the response cache around the provider.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from noria.adapt.prompts import render
from noria.assemble.caching import Caches
from noria.assemble.engines import EnginePool
from noria.assemble.providers import check_kinds, configured
from noria.core.apps import Variant
from noria.core.errors import InvalidInput, UnknownName
from noria.core.models import LocalModel
from noria.core.protocols import Endpoint, Target
from noria.core.spans import Span
from noria.scorers.schemas import reading
from noria.settings import Provider, Settings
from noria.stores.catalogue import Catalogue
from noria.targets.cached import Cached
from noria.targets.counting import Counting, Estimated
from noria.targets.egress import Egress, Timeouts
from noria.targets.forced import Forced
from noria.targets.local import Local
from noria.targets.prompted import Prompted
from noria.targets.released import Released
from noria.targets.remote import Remote, shown_url
from noria.targets.retrying import Retrying
from noria.targets.structured import Structured
from noria.targets.variant import AsVariant
from noria.wires.anthropic import Anthropic
from noria.wires.openai_chat import OpenAIChat
from noria.wires.wire import WireOut

Lookup = Callable[[str], Awaitable[Span | None]]
"""The response cache: request id -> the span that answered it."""


class Answers:
    """Finds the target of a name, and keeps it until the catalogue changes.

    Arguments:
        settings: the configured providers.
        environ: where their keys are.
        catalogue: apps, variants, prompts and local models.
        engines: the local models' engines.
        egress: sends the calls.
        caches: what is answered from kept replies.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        catalogue: Catalogue,
        engines: EnginePool,
        egress: Egress,
        caches: Caches,
    ) -> None:
        check_kinds(settings)
        self._settings = settings
        self._environ = environ
        self._catalogue = catalogue
        self._engines = engines
        self._egress = egress
        self._caches = caches
        self._known: dict[str, Target] = {}
        self._as_of = -1

    def resolve(self, name: str) -> Target:
        """The target of ``name``.

        Raises:
            UnknownName: nobody is called so.
        """
        changes = self._catalogue.changes
        if changes != self._as_of:
            self._known, self._as_of = {}, changes
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def variant(self, variant: Variant, lookup: Lookup | None = None, *, app: str = "") -> Target:
        """A variant as a target; with ``lookup``, replies to the same request are taken from the record.

        With ``app`` it answers live calls of the app, which may be answered from kept replies.

        Raises:
            UnknownName: its model, prompt or provider is gone, or its model's name now stands for another set-up.
        """
        if variant.model_id is None:
            inner = self.model(variant.model)
        else:
            inner = self._local(self._set_up(variant.model, variant.model_id))
        if lookup is not None:
            inner = Cached(inner, lookup, server=self._server(variant.model))
        if app:
            inner = self._caches.around(app, inner, server=variant.model_id or self._server(variant.model))
        if variant.prompt_id is not None:
            prompt = self._catalogue.prompts.by_id(variant.prompt_id)
            inner = Prompted(inner, prompt, variant.prompt_id, render)
        return AsVariant(inner, variant, variant.id)

    def model(self, name: str) -> Target:
        """``local/model`` or ``provider/model``.

        Raises:
            UnknownName: no such model or provider.
            InvalidInput: the provider's key is not in the environment.
        """
        provider_name, _, model = name.partition("/")
        if not model:
            raise UnknownName(
                f"{name!r} names no model.", hint="Models are called `provider/model`, such as `local/smollm2-135m`."
            )
        if provider_name == "local":
            return self._local(self._catalogue.models.get(model))
        there = configured(provider_name, self._settings, self._environ)
        provider = there.provider
        if there.library is not None:
            tail = there.library(
                there.wire,
                base_url=provider.base_url,
                api_key=there.key,
                provider=provider_name,
                model=model,
                stream=provider.stream,
                timeouts=_timeouts(provider),
            )
            held = Structured(Counting(tail, Estimated(provider_name)), reading)
            return Retrying(held, attempts=provider.attempts, sleep=asyncio.sleep, random=random.random)
        remote = Remote(
            self._egress,
            there.wire,
            base_url=provider.base_url,
            api_key=there.key,
            headers=provider.headers,
            provider=provider_name,
            model=model,
            stream=provider.stream,
            timeouts=_timeouts(provider),
            private=provider.private,
        )
        model_or_count = remote if there.counts else Counting(remote, Estimated(provider_name))
        held = Structured(model_or_count, reading)
        return Retrying(held, attempts=provider.attempts, sleep=asyncio.sleep, random=random.random)

    def _server(self, model: str) -> str:
        name = model.partition("/")[0]
        provider = self._settings.provider(name)
        return shown_url(provider.base_url, name) if provider else ""

    def _behind(self, name: str) -> str:
        """What stands behind a model's name now: a local set-up's id, or a base URL."""
        provider, _, model = name.partition("/")
        return self._catalogue.models.get(model).id if provider == "local" else self._server(name)

    def _find(self, name: str) -> Target:
        if "/" in name:
            return self._caches.around(name, self.model(name), server=self._behind(name))
        app_name, _, variant_name = name.partition("@")
        app = self._catalogue.apps.get(app_name)
        if variant_name:
            for named in app.variants:
                if named.name == variant_name:
                    return Released(app_name, [(self.variant(named.variant, app=name), 1.0)], "")
            names = ", ".join(named.name for named in app.variants) or "none yet"
            raise UnknownName(f"App {app_name!r} has no variant {variant_name!r} (it has: {names}).")
        if app.release is None:
            raise InvalidInput(
                f"App {app_name!r} has no release, so nobody answers it.",
                hint=f"Run `noria promote {app_name} VARIANT`, or call {app_name}@VARIANT.",
            )
        shares = [
            (self.variant(self._catalogue.apps.variant(share.variant_id), app=name), share.weight)
            for share in app.release.shares
        ]
        return Released(app_name, shares, app.release.id)

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
        return Retrying(Forced(local), attempts=2, sleep=asyncio.sleep, random=random.random)


def _timeouts(provider: Provider) -> Timeouts:
    return Timeouts(
        connect_s=provider.connect_timeout_s,
        first_byte_s=provider.first_token_timeout_s,
        idle_s=provider.idle_timeout_s,
        total_s=provider.total_timeout_s,
    )
