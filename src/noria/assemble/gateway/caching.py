"""The cache of live replies: which calls it answers, and where its replies are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping

import msgspec

from noria.assemble.clock import now
from noria.assemble.gateway.naming import names_for
from noria.core.caching import SAVED, CachePolicy, Embed
from noria.core.protocols import Target
from noria.core.spans import Span
from noria.settings import Settings
from noria.stores.replies import KeptReplies, there
from noria.targets.recording import Price
from noria.targets.reusing import Reusing


class Caches:
    """Puts the cache around what is called, where the settings ask for one.

    The place for replies is opened when the settings first name a cache, or when something in it is to be forgotten.

    Arguments:
        settings: the policies, by the name of an app or a model, other names of these, and how much is kept.
        url: database of the replies.
        embed: turns questions into vectors.
        alone: no other process answers calls from them.

    Raises:
        Unavailable: there is a policy, and the database does not answer.
    """

    def __init__(self, settings: Settings, url: str, embed: Embed, *, alone: bool) -> None:
        self._policies, self._aliases = settings.caches, settings.aliases
        self._most_bytes = _most_bytes(settings)
        self._url = url
        self._embed = embed
        self._alone = alone
        self._opening = threading.Lock()
        self.replies: KeptReplies | None = None
        """Where replies are kept; None until it is needed."""
        self.prepare(settings)

    def prepare(self, settings: Settings) -> None:
        """Open the place for replies, if these settings need one. It may wait for a database. Raises ``Unavailable``."""
        if settings.caches:
            self._opened()

    def become(self, settings: Settings) -> None:
        """Take the policies from these settings, which were prepared for."""
        self._policies, self._aliases, self._most_bytes = settings.caches, settings.aliases, _most_bytes(settings)
        if self.replies is not None:
            self.replies.resize(self._most_bytes)

    def forget(self, *, user: str = "", traces: Iterable[str] = ()) -> None:
        """Delete replies as :class:`noria.core.caching.Replies` does, also where there is no policy any more."""
        if self._anything():
            self._opened().forget(user=user, traces=traces)

    def traces(self) -> list[str]:
        """Traces whose replies are kept, but for the newest."""
        return self._opened().traces() if self._anything() else []

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        return self.replies.numbers() if self.replies else {}

    async def close(self) -> None:
        """Write what waits to be kept."""
        if self.replies is not None:
            await self.replies.close()

    def policy(self, name: str) -> CachePolicy | None:
        """The policy for calls of ``name``, its own before one for many."""
        for written in names_for(name, self._aliases):
            if written in self._policies:
                return self._policies[written]
        return None

    def around(self, name: str, inner: Target, *, server: str) -> Target:
        """``inner``, as far as calls of ``name`` have to be made.

        Arguments:
            name: what is called: an app or ``provider/model``.
            inner: answers the request as the model will see it.
            server: what stands behind the model's name: a base URL, or the content id of a local set-up.
        """
        policy = self.policy(name)
        if policy is None or self.replies is None:
            return inner
        return Reusing(inner, self.replies, policy, server=server, now=now, sleep=asyncio.sleep, embed=self._embed)

    def _opened(self) -> KeptReplies:
        with self._opening:
            if self.replies is None:
                self.replies = KeptReplies.open(self._url, most_bytes=self._most_bytes, now=now, alone=self._alone)
            return self.replies

    def _anything(self) -> bool:
        return self.replies is not None or there(self._url)


def live_price(price: Price) -> Price:
    """What live calls cost: nothing where a kept reply answered them."""
    return lambda span: 0.0 if span.cached else price(span)


def with_savings(span: Span, price: Price) -> Span:
    """A live call that a kept reply answered, with what it would have cost else."""
    saved = price(span)
    return span if saved is None else msgspec.structs.replace(span, attributes=span.attributes | {SAVED: saved})


def _most_bytes(settings: Settings) -> int:
    return settings.cache_mb * 1_000_000
