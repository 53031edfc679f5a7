"""One target that stands for many."""

from __future__ import annotations

from noria.core.errors import UnknownName
from noria.core.folding import collect
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.routed import Routed
from noria.targets.scripted import Scripted, answer

from .contract import ASK, events_until_error


async def test_routing_goes_by_the_model() -> None:
    targets = {name: Scripted(lambda _, name=name: answer(name)) for name in ("a", "b")}
    routed = Routed(targets.__getitem__)
    assert [(await collect(routed.call(Request(model=name)))).text for name in ("b", "a")] == ["b", "a"]


async def test_a_name_that_is_nobody_s() -> None:
    def resolve(name: str) -> Target:
        raise UnknownName(f"There is no app or model `{name}`.")

    _, error = await events_until_error(Routed(resolve).call(ASK))
    assert isinstance(error, UnknownName)
