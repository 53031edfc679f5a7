from __future__ import annotations

import pytest

from noria.core.errors import StorageFull
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Request
from noria.targets.admitted import Admitted
from noria.targets.scripted import Scripted, answer

REQUEST = Request(model="m", messages=(Message(role="user", content="hi"),))


async def test_a_call_without_room_for_its_record_reaches_no_model_and_the_next_one_does() -> None:
    full = True

    def check() -> None:
        if full:
            raise StorageFull("The disk is full.")

    model = Scripted(lambda _: answer("yes"))
    target = Admitted(model, check)
    with pytest.raises(StorageFull):
        await collect(target.call(REQUEST))
    assert model.requests == []
    full = False
    assert (await collect(target.call(REQUEST))).text == "yes"
