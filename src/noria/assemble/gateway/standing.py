"""How providers and models stand: what is remembered of them between calls, and over a reload of the configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from noria.settings import Provider
from noria.stores.openings import Openings
from noria.stores.places import SharedPlaces
from noria.targets.breaker import Breaker
from noria.targets.load import Load
from noria.targets.retry_budget import RetryBudget
from noria.targets.slots import Slots

_MOST_MODELS = 10_000
"""Models that are remembered; callers name them, so there could be any number."""


class ModelStanding:
    """One model.

    Arguments:
        name: ``provider/model``.
        provider: its provider's settings; None for a local model, whose engine has a supervisor in place of a breaker.
        openings: where other processes of this server tell of their breakers; None where there are none.
    """

    def __init__(self, name: str, provider: Provider | None, openings: Openings | None = None) -> None:
        self.load = Load(time.monotonic)
        """Calls under way, and how fast it begins to answer."""
        self.breaker: Breaker | None = None
        """Leaves it alone where it fails too often; None where nothing does."""
        if provider is not None and provider.breaker_error_rate:
            self.breaker = Breaker(
                name,
                time.monotonic,
                error_rate=provider.breaker_error_rate,
                calls=provider.breaker_calls,
                window_s=provider.breaker_window_s,
                open_s=provider.breaker_open_s,
                elsewhere=None if openings is None else openings.of(_as_configured(name, provider)),
            )


def _as_configured(name: str, provider: Provider) -> str:
    """One name in all processes for a model, and another once its provider is configured anew: what failed there says nothing."""
    return f"{name} {msgspec.json.encode(provider, order='deterministic').decode()}"


class ProviderStanding:
    """One provider. Making it raises ``StorageFull`` where places are shared and there is no room to count them.

    Arguments:
        name: what it is called.
        provider: its settings.
        places: where other processes of this server count theirs; None where there are none.
    """

    def __init__(self, name: str, provider: Provider, places: SharedPlaces | None = None) -> None:
        self.provider = provider
        """Its settings."""
        self.budget = RetryBudget(time.monotonic, share=provider.retry_share)
        """Further tries, of all its models."""
        self.slots: Slots | None = None
        """Places for calls, of all its models; None for any number."""
        if provider.max_calls:
            self.slots = Slots(provider.max_calls, waiting=provider.max_waiting, of=f"Provider {name!r}")
            if places is not None:
                self.slots.share(places.of(f"provider {name}"))
        self.models: dict[str, ModelStanding] = {}
        """Its models that were called, the latest last."""


class Standing:
    """All providers and models. A provider that is configured anew starts afresh, with its models."""

    def __init__(self) -> None:
        self.providers: dict[str, ProviderStanding] = {}
        """Providers that were called."""
        self.local: dict[str, ModelStanding] = {}
        """Models of this machine that were called."""
        self._places: SharedPlaces | None = None
        self._openings: Openings | None = None

    def share(self, places: SharedPlaces, openings: Openings) -> None:
        """Count the places of providers together with other processes, and heed their breakers; none was called yet."""
        self._places, self._openings = places, openings

    def provider(self, name: str, provider: Provider) -> ProviderStanding:
        """A provider."""
        found = self.providers.get(name)
        if found is None or found.provider != provider:
            found = self.providers[name] = ProviderStanding(name, provider, self._places)
        return found

    def model(self, name: str, provider: Provider | None) -> ModelStanding:
        """A model, ``provider/model``, of a provider or of this machine."""
        models = self.local if provider is None else self.provider(name.partition("/")[0], provider).models
        found = models.pop(name, None) or ModelStanding(name, provider, self._openings)
        models[name] = found
        if len(models) > _MOST_MODELS:
            del models[next(iter(models))]
        return found

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        providers = list(self.providers.values())
        models = [model for provider in providers for model in provider.models.values()]
        breakers = [model.breaker for model in models if model.breaker is not None]
        return {
            "noria_retries_total": sum(one.budget.taken for one in providers),
            "noria_retries_refused_total": sum(one.budget.refused for one in providers),
            "noria_provider_calls_shed_total": sum(one.slots.shed for one in providers if one.slots is not None),
            "noria_provider_calls_running": sum(model.load.outstanding for model in [*models, *self.local.values()]),
            "noria_breakers_open": sum(breaker.state != "closed" for breaker in breakers),
            "noria_breakers_opened_total": sum(breaker.opened for breaker in breakers),
        }
