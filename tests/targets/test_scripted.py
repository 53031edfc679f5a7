"""A target that says what it is told to."""

from __future__ import annotations

import json

from noria.core.events import Sent, Stopped
from noria.targets.scripted import Scripted, answer

from .contract import ASK, events_until_error


async def test_a_script_may_bring_its_own_sent_and_knows_the_request() -> None:
    own = Sent(request=ASK, provider="own", replays="t/s")
    seen, _ = await events_until_error(Scripted(lambda r: [own, *answer(json.dumps(r.model))]).call(ASK))
    assert [event for event in seen if isinstance(event, Sent)] == [own]
    assert seen[-2] == Stopped(reason="stop")
