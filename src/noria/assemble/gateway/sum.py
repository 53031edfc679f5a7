"""How providers, models and places stand in several processes, added up."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from noria.assemble.gateway.standing import Standing
from noria.assemble.gateway.state import GatewayState, ModelState, Places, ProviderState, models_of, places_of
from noria.core.struct import Noun
from noria.targets.slots import Slots

_WORST = ("none", "closed", "half_open", "open")


class Stood(Noun):
    """How things stand in one process, as far as it knows alone."""

    places: Places
    """Places of all its calls."""
    providers: tuple[ProviderState, ...]
    """Those that it called."""


def stood(standing: Standing, slots: Slots) -> Stood:
    """How things stand in this process."""
    providers = [
        ProviderState(
            name=name,
            places=places_of(found.slots) if found.slots else Places(),
            retries=found.budget.taken,
            retries_refused=found.budget.refused,
            models=models_of(found.models),
        )
        for name, found in standing.providers.items()
    ]
    if standing.local:
        providers.append(ProviderState(name="local", kind="engine", models=models_of(standing.local)))
    return Stood(places=places_of(slots), providers=tuple(providers))


def added_up(state: GatewayState, others: Iterable[Stood]) -> GatewayState:
    """``state`` with what other processes have seen: sums, and of a breaker its worst state."""
    places, providers = state.places, {provider.name: provider for provider in state.providers}
    for other in others:
        places = _places(places, other.places)
        for theirs in other.providers:
            ours = providers.get(theirs.name)
            providers[theirs.name] = theirs if ours is None else _provider(ours, theirs)
    return msgspec.structs.replace(state, places=places, providers=tuple(providers.values()))


def _provider(ours: ProviderState, theirs: ProviderState) -> ProviderState:
    models = {model.model: model for model in ours.models}
    for model in theirs.models:
        known = models.get(model.model)
        models[model.model] = model if known is None else _model(known, model)
    places = _places(ours.places, theirs.places)
    if not theirs.places.most:  # without places of its own, what runs is what its models have under way
        running = sum(model.outstanding for model in models.values())
        places = msgspec.structs.replace(ours.places, running=running)
    return msgspec.structs.replace(
        ours,
        places=places,
        retries=ours.retries + theirs.retries,
        retries_refused=ours.retries_refused + theirs.retries_refused,
        models=tuple(models[name] for name in sorted(models)),
    )


def _places(one: Places, other: Places) -> Places:
    """They share how many there may be, as the configuration says."""
    return Places(
        running=one.running + other.running,
        most=max(one.most, other.most),
        waiting=one.waiting + other.waiting,
        most_waiting=max(one.most_waiting, other.most_waiting),
        shed=one.shed + other.shed,
    )


def _model(one: ModelState, other: ModelState) -> ModelState:
    times = [seen for seen in (one.ttft_s, other.ttft_s) if seen is not None]
    return ModelState(
        model=one.model,
        breaker=max(one.breaker, other.breaker, key=_WORST.index),
        opened=one.opened + other.opened,
        outstanding=one.outstanding + other.outstanding,
        calls=one.calls + other.calls,
        failed=one.failed + other.failed,
        ttft_s=round(sum(times) / len(times), 4) if times else None,
    )
