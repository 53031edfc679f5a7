"""Guards by name, and what the built-in ones find."""

from __future__ import annotations

from typing import Any

import pytest

from noria.core.errors import InvalidInput, NoriaError, UnknownName
from noria.core.guards import Checked, Flaw, GuardRule
from noria.core.requests import Request
from noria.guards.registry import make


def rule(kind: str, **options: Any) -> GuardRule:
    return GuardRule(kind=kind, options=options)


async def found(kind: str, text: str, before: str = "", **options: Any) -> list[Flaw]:
    checked = Checked(text=text, place="stream", before=before, request=Request(model="m"))
    return list(await make(rule(kind, **options)).check(checked))


async def test_a_pattern_finds_every_match_where_it_is() -> None:
    flaws = await found("regex", "call 123 or 45", pattern=r"\d+", meaning="a number", instead="#")
    assert flaws == [
        Flaw(reason="It holds a number.", start=5, end=8, instead="#"),
        Flaw(reason="It holds a number.", start=12, end=14, instead="#"),
    ]


async def test_a_pattern_can_look_at_what_has_left() -> None:
    assert [(flaw.start, flaw.end) for flaw in await found("regex", "42", before="id ", pattern=r"(?<=id )\d+")] == [
        (0, 2)
    ]
    assert await found("regex", "42", before="id", pattern=r"\b\d+") == []


async def test_a_pattern_that_takes_for_ever_is_stopped() -> None:
    with pytest.raises(NoriaError, match="not done in time"):
        await found("regex", "a" * 40, pattern=r"(a|aa)+$b", timeout_s=0.01)


async def test_length() -> None:
    assert await found("length", "abc", characters=3) == []
    [flaw] = await found("length", "abcd", characters=3)
    assert (flaw.start, flaw.end, flaw.instead) == (3, 4, "...")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (rule("nothing"), UnknownName, "no guard of kind 'nothing'"),
        (rule("regex"), InvalidInput, "missing required field `pattern`"),
        (rule("regex", pattern="("), InvalidInput, "is wrong"),
        (rule("length", characters=0), InvalidInput, "wrong option"),
        (rule("length", chars=1), InvalidInput, "Its options are characters"),
    ],
)
def test_mistakes_are_named(given: GuardRule, error: type[NoriaError], message: str) -> None:
    with pytest.raises(error, match=message):
        make(given)


async def test_a_strangers_guard_works_like_a_built_in() -> None:
    made = make(GuardRule(kind="whisper", name="calm", options={"mark": "?"}))
    assert (made.name, made.version.startswith("whisper@1+"), made.reach) == ("calm", True, 1)
    assert [
        flaw.start for flaw in await made.check(Checked(text="a?", place="output", request=Request(model="m")))
    ] == [1]
