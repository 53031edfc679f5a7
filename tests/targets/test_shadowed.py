"""Mirrored calls: a part of the traffic, after the call, on record as what they are."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from noria.core.errors import CallFailed
from noria.core.events import Delta
from noria.core.folding import collect
from noria.core.protocols import Target
from noria.core.requests import Lineage, Request, TraceContext
from noria.core.spans import Span
from noria.targets.mirror import Mirror
from noria.targets.recorded import Recorded
from noria.targets.recording import random_ids
from noria.targets.scripted import Scripted, answer
from noria.targets.shadowed import Shadow, Shadowed

from .contract import ASK
from .keeping import keeping

CALL = msgspec.structs.replace(ASK, lineage=Lineage(app="boolq", user_id="ann", release_id="r"))


class Kept:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.mirror = Mirror(self.record, now=lambda: 1, new_ids=random_ids, price=lambda _: None, most=2)

    async def record(self, span: Span) -> None:
        self.spans.append(span)

    async def settled(self) -> None:
        await asyncio.gather(*self.mirror._running)

    def shadowed(self, inner: Target, shadow: Target, rate: float = 1.0) -> Recorded:
        around = Shadowed(inner, of="boolq", shadows=[Shadow("s", shadow, rate)], mirror=self.mirror.offer)
        return Recorded(around, keeping(self.spans), now=lambda: 1, new_ids=random_ids, price=lambda _: None)


async def test_a_mirrored_call_hangs_below_the_call_and_counts_for_no_app() -> None:
    kept = Kept()
    shadow = Scripted(lambda _: answer("other"))
    reply = await collect(kept.shadowed(Scripted(lambda _: answer("yes")), shadow).call(CALL))
    await kept.settled()
    assert reply.text == "yes"
    live, mirrored = sorted(kept.spans, key=lambda span: span.parent_id is not None)
    assert (mirrored.trace_id, mirrored.parent_id) == (live.trace_id, live.span_id)
    assert (live.lineage.app, mirrored.lineage.app, mirrored.lineage.user_id) == ("boolq", None, "ann")
    assert (mirrored.attributes, live.attributes) == ({"noria.shadow_of": "boolq"}, {})
    assert (mirrored.output_text, kept.mirror.made) == ("other", 1)


async def test_a_shadow_starts_after_the_call_and_neither_delays_nor_fails_it() -> None:
    kept, gate = Kept(), asyncio.Event()
    hanging = Scripted(lambda _: [gate, CallFailed("Down.")])
    seen: list[Any] = []
    async for event in kept.shadowed(Scripted(lambda _: answer("yes")), hanging).call(CALL):
        seen.append(event)
        assert not hanging.requests or not isinstance(event, Delta)
    assert len(kept.spans) == 1
    gate.set()
    await kept.settled()
    assert [span.status for span in kept.spans] == ["ok", "error"]


async def test_a_call_that_failed_is_mirrored_and_one_given_up_is_not() -> None:
    kept = Kept()
    shadow = Scripted(lambda _: answer("other"))
    with pytest.raises(CallFailed):
        await collect(kept.shadowed(Scripted(lambda _: [CallFailed("Down.")]), shadow).call(CALL))
    await kept.settled()
    assert len(shadow.requests) == 1
    events = kept.shadowed(Scripted(lambda _: answer("yes")), shadow).call(CALL)
    await anext(events)
    await events.aclose()
    await kept.settled()
    assert len(shadow.requests) == 1


async def test_shadows_do_not_pile_up_and_are_cut_at_the_end() -> None:
    kept, gate = Kept(), asyncio.Event()
    target = kept.shadowed(Scripted(lambda _: answer("yes")), Scripted(lambda _: [Delta(text="o"), gate]))
    for _ in range(5):
        await collect(target.call(CALL))
        await asyncio.sleep(0)
    assert (kept.mirror.skipped, len(kept.spans)) == (3, 5)
    await kept.mirror.close()
    assert [(span.status, span.output_text) for span in kept.spans[5:]] == [("cancelled", "o")] * 2


async def test_the_rate_is_a_part_of_the_users() -> None:
    offered: list[Request] = []
    target = Shadowed(
        Scripted(lambda _: answer("yes")),
        of="boolq",
        shadows=[Shadow("s", Scripted(lambda _: ()), 0.25)],
        mirror=lambda _, request: offered.append(request),
    )
    for number in range(400):
        trace = TraceContext(trace_id=f"{number:032x}")
        await collect(target.call(msgspec.structs.replace(ASK, trace=trace)))
    assert 60 < len(offered) < 140
