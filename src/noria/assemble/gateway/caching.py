"""The cache of live replies: which calls it answers, and where its replies are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from noria.assemble.clock import now
from noria.assemble.gateway.naming import names_for
from noria.core.caching import SAVED, CachePolicy, Embed
from noria.core.protocols import Target
from noria.core.spans import Span
from noria.settings import Settings
from noria.stores.replies import KeptReplies
from noria.targets.recording import Price
from noria.targets.reusing import Reusing


class Caches:
    """Puts the cache around what is called, where the settings ask for one.

    Arguments:
        policies: by the name of an app or a model; ``provider/*`` and ``*`` stand for many.
        replies: where replies are kept; None where there is no policy at all.
        embed: turns questions into vectors.
    """

    def __init__(self, policies: Mapping[str, CachePolicy], replies: KeptReplies | None, embed: Embed) -> None:
        self.policies = policies
        """The policies in force."""
        self.replies = replies
        """Where replies are kept."""
        self._embed = embed

    @classmethod
    def open(cls, settings: Settings, url: str, embed: Embed, *, alone: bool) -> Caches:
        """As the settings say, with the replies in a database, which may be this process's alone; without policies nothing is opened."""
        replies = None
        if settings.caches:
            replies = KeptReplies.open(url, most_bytes=settings.cache_mb * 1_000_000, now=now, alone=alone)
        return cls(settings.caches, replies, embed)

    def changeable(self) -> tuple[str, ...]:
        """The setting that a reload may change: where nothing is kept yet, the place for replies is made at the start only."""
        return () if self.replies is None else ("caches",)

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        return self.replies.numbers() if self.replies else {}

    async def close(self) -> None:
        """Write what waits to be kept."""
        if self.replies is not None:
            await asyncio.to_thread(self.replies.close)

    def policy(self, name: str) -> CachePolicy | None:
        """The policy for calls of ``name``, its own before one for many."""
        for written in names_for(name):
            if written in self.policies:
                return self.policies[written]
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


def live_price(price: Price) -> Price:
    """What live calls cost: nothing where a kept reply answered them."""
    return lambda span: 0.0 if span.cached else price(span)


def with_savings(span: Span, price: Price) -> Span:
    """A live call that a kept reply answered, with what it would have cost else."""
    saved = price(span)
    return span if saved is None else msgspec.structs.replace(span, attributes=span.attributes | {SAVED: saved})
