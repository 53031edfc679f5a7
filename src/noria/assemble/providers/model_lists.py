"""The models that providers list, remembered: whoever asks gets what is known, and waits a moment only for those never asked before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

import msgspec
import structlog

from noria.assemble.providers.configured import LISTS, Stored, callable_providers, configured, look
from noria.core.decoding import UNREADABLE
from noria.core.errors import NoriaError
from noria.core.protocols import Clock
from noria.settings import Settings
from noria.targets.egress import Egress, Timeouts

FRESH_NS = 600 * 10**9
"""How long a list is taken for true."""
AGAIN_NS = 60 * 10**9
"""How long a provider is left alone that gave none."""
MOST = 2000
"""Models of one provider that are remembered."""
FIRST_S = 1.0
"""How long somebody waits for the lists of providers that have told none yet."""
_LONGEST = 200
_WAITS = Timeouts(connect_s=5.0, first_byte_s=10.0, total_s=15.0)

_log = structlog.get_logger(__name__)


class ModelLists:
    """What each provider lists, as far as one has been asked.

    Arguments:
        settings: those in force.
        environ: where keys are.
        egress: the way out, as calls take it.
        stored: keys that are encrypted at rest.
        now: the clock.
    """

    def __init__(
        self, settings: Callable[[], Settings], environ: Mapping[str, str], egress: Egress, stored: Stored, now: Clock
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._egress = egress
        self._stored = stored
        self._now = now
        self._known: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def names(self) -> list[str]:
        """Models as ``provider/model``; what is known and old is asked for again meanwhile."""
        found = list(self._names())
        first = [task for provider, task in self._running.items() if provider not in self._known]
        if not first:
            return found
        await asyncio.wait(first, timeout=FIRST_S)
        return list(self._names())

    def _names(self) -> Iterator[str]:
        for provider in callable_providers(self._settings(), self._environ):
            until, models = self._known.get(provider, (0, ()))
            if until <= self._now() and provider not in self._running:
                self._running[provider] = asyncio.create_task(self._ask(provider), name="noria-model-list")
            for model in models:
                yield f"{provider}/{model}"

    def forget(self) -> None:
        """Ask anew the next time: the configuration has changed."""
        self._known.clear()

    async def close(self) -> None:
        """Ask nobody any more."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _ask(self, provider: str) -> None:
        try:
            models = await self._listed(provider)
            self._known[provider] = (self._now() + (FRESH_NS if models else AGAIN_NS), models)
        except NoriaError as error:  # what was known before is the best guess
            _log.info("models.not_listed", provider=provider, error=error.code)
            self._known[provider] = (self._now() + AGAIN_NS, self._known.get(provider, (0, ()))[1])
        finally:
            del self._running[provider]

    async def _listed(self, name: str) -> tuple[str, ...]:
        there = configured(name, self._settings(), self._environ, self._stored)
        if there.provider.kind not in LISTS or there.library is not None:
            return ()
        status, _, body = await look(name, there, self._egress, _WAITS)
        return tuple(listed(body))[:MOST] if status == HTTPStatus.OK else ()


def named_models(settings: Settings) -> list[str]:
    """Models that the settings name one by one: behind routes and aliases, and with prices of their own."""
    targets = [target for route in settings.routes.values() for target in (*route.targets, *route.shadows)]
    named = [*targets, *settings.aliases.values(), *settings.prices]
    return [name for name in named if "/" in name and "*" not in name and settings.route(name) is None]


def listed(body: bytes) -> Iterator[str]:
    """Names of models in a provider's list: OpenAI's and Anthropic's ``data``, Google's ``models``, TGI's and TEI's one."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return
    if not isinstance(found, dict):
        return
    entries = found.get("data", found.get("models"))
    entries = entries if isinstance(entries, list) else []
    names = [entry.get("id", entry.get("name")) for entry in entries if isinstance(entry, dict)]
    for name in names or [found.get("model_id")]:
        if isinstance(name, str) and 0 < len(name) <= _LONGEST and name.isprintable():
            yield name.removeprefix("models/")
