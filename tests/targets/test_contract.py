"""Every target against the one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from noria.core.apps import Variant
from noria.core.caching import CachePolicy, KeptReply
from noria.core.errors import CallFailed, CallRefused, EngineFailed
from noria.core.guards import Checked, Flaw, GuardRule
from noria.core.prompts import Block, Prompt
from noria.core.protocols import Endpoint, EngineStatus, Target
from noria.core.spans import Span
from noria.targets.admitted import Admitted
from noria.targets.bounded import Bounded
from noria.targets.breaker import Breaker
from noria.targets.cached import Cached
from noria.targets.capped import Capped
from noria.targets.checking import Checks
from noria.targets.egress import Egress
from noria.targets.fallback import Fallback, Member
from noria.targets.forced import Forced
from noria.targets.guard_checks import InForce
from noria.targets.guarded import Guarded
from noria.targets.load import Load
from noria.targets.local import Local
from noria.targets.observed import Observed
from noria.targets.ordering import as_listed
from noria.targets.prompted import Prompted
from noria.targets.recorded import Recorded
from noria.targets.recording import random_ids
from noria.targets.released import Released
from noria.targets.remote import Remote
from noria.targets.retrying import Retrying
from noria.targets.reusing import Reusing
from noria.targets.routed import Routed
from noria.targets.scripted import Scripted
from noria.targets.shadowed import Shadow, Shadowed
from noria.targets.slots import Slots
from noria.targets.structured import Structured
from noria.targets.variant import AsVariant
from noria.wires.openai_chat import OpenAIChat

from .contract import Open, Opened, StreamingContract, TargetContract
from .keeping import keeping
from .upstream import serving

Script = Callable[[Any], Iterable[Any]]


async def never(_: str) -> Span | None:
    return None


async def at_once(_: float) -> None:
    return None


class Nowhere:
    """Replies that are never found."""

    async def find(self, key: str) -> KeptReply | None:
        return None

    async def near(self, about: str, embedder: str, vector: bytes, threshold: float) -> None:
        return None

    def keep(self, reply: KeptReply) -> None: ...

    def forget(self, *, user: str = "", traces: Iterable[str] = ()) -> int:
        return 0


class Harmless:
    """A guard that finds nothing."""

    name, version, reach = "harmless", "1", 0

    async def check(self, checked: Checked) -> Sequence[Flaw]:
        return ()


GONE = Scripted(lambda _: [CallRefused("No such thing.", status=404)])
DEAD = Scripted(lambda _: [CallFailed("Dead.", retryable=True)])
CONVERSATION = Prompt(blocks=(Block(role="conversation"),))
WRAPPERS: dict[str, Callable[[Target], Target]] = {
    "scripted": lambda inner: inner,
    "prompted": lambda inner: Prompted(inner, CONVERSATION, CONVERSATION.id, lambda _p, _v, messages: tuple(messages)),
    "variant": lambda inner: AsVariant(inner, Variant(model="m"), "variant_1"),
    "admitted": lambda inner: Admitted(inner, lambda: None),
    "routed": lambda inner: Routed({"m": inner}.__getitem__),
    "released": lambda inner: Released("app", [(inner, 1.0)], "release_1"),
    "cached": lambda inner: Cached(inner, never),
    "guarded": lambda inner: Guarded(
        inner, [InForce(Harmless(), GuardRule(kind="g", places=("input", "stream", "output")))]
    ),
    "reusing": lambda inner: Reusing(inner, Nowhere(), CachePolicy(), now=lambda: 0, sleep=at_once),
    "retrying": lambda inner: Retrying(inner, sleep=at_once, random=lambda: 0.5),
    "structured": lambda inner: Structured(inner, Checks(lambda _: str).reader),
    "forced": Forced,
    "observed": lambda inner: Observed(inner, [Breaker("m", lambda: 0.0), Load(lambda: 0.0)], provider="p"),
    "bounded": lambda inner: Bounded(inner, Slots(3, waiting=1, of="p"), provider="p"),
    "capped": lambda inner: Capped(inner, provider="p", estimate=lambda _: 1.0),
    "fallback": lambda inner: Fallback("r", [Member("m", inner), Member("n", GONE)], as_listed(2)),
    "fallen": lambda inner: Fallback("r", [Member("n", DEAD), Member("m", inner)], as_listed(2)),
    "continuing": lambda inner: Fallback("r", [Member("n", DEAD), Member("m", inner)], as_listed(2), may_continue=True),
    "shadowed": lambda inner: Shadowed(inner, of="app", shadows=[Shadow("s", DEAD, 1.0)], mirror=lambda *_: None),
    "recorded": lambda inner: Recorded(inner, keeping([]), now=lambda: 0, new_ids=random_ids, price=lambda _: None),
}


class Well:
    """An engine that runs and never crashes."""

    async def start(self) -> Endpoint:
        return Endpoint(base_url="http://127.0.0.1:1/v1", model="m")

    async def stop(self) -> None: ...

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        raise TimeoutError

    def status(self) -> EngineStatus:
        return EngineStatus(state="ready")


class TestWrappers(StreamingContract):
    @pytest.fixture(params=WRAPPERS)
    def open(self, request: pytest.FixtureRequest) -> Open:
        @asynccontextmanager
        async def opened(script: Script) -> AsyncIterator[Opened]:
            inner = Scripted(script)
            yield Opened(WRAPPERS[request.param](inner), inner.closed, shows_sent=request.param != "recorded")

        return opened


class TestLocal(StreamingContract):
    @pytest.fixture
    def open(self) -> Open:
        @asynccontextmanager
        async def opened(script: Script) -> AsyncIterator[Opened]:
            inner = Scripted(script)
            yield Opened(Local(Well(), lambda _: inner), inner.closed)

        return opened


def remote(egress: Egress, *, stream: bool) -> Open:
    @asynccontextmanager
    async def opened(script: Script) -> AsyncIterator[Opened]:
        async with serving(script) as upstream:
            target = Remote(egress, OpenAIChat(), base_url=upstream.base_url, provider="p", stream=stream)
            yield Opened(target, upstream.closed)

    return opened


class TestRemote(StreamingContract):
    @pytest.fixture
    def open(self, egress: Egress) -> Open:
        return remote(egress, stream=True)


class TestRemoteUnstreamed(TargetContract):
    @pytest.fixture
    def open(self, egress: Egress) -> Open:
        return remote(egress, stream=False)
