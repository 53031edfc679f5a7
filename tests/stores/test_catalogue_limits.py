"""Limits and their shared counters, on both databases."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from noria.core.errors import InvalidInput, UnknownName
from noria.core.keys import Key
from noria.core.limits import Ask, Grant, Limit
from noria.stores.catalogue import Catalogue
from noria.targets.windows import bounds

HOUR = 3600 * 10**9


def ask(wish: int, *, spent: int = 0, keep: int = 0, limit: int = 100, counter: str = "c") -> Ask:
    return Ask(counter=counter, starts_ns=0, ends_ns=HOUR, limit=limit, spent=spent, keep=keep, wish=wish)


def renew(catalogue: Catalogue, holder: str, asked: Ask, now: int = 0) -> Grant:
    [grant] = catalogue.limits.renew(holder, [asked], now_ns=now, until_ns=now + 10)
    return grant


def test_limits_are_kept_told_and_removed(catalogue: Catalogue) -> None:
    key = catalogue.keys.create(Key(id="", name="bot")).key
    made = catalogue.limits.put(Limit(name="rpm", measure="requests", amount=5, who="bot"), by="ada")
    assert made.who == key.id
    catalogue.limits.put(made, by="ada")
    catalogue.limits.put(Limit(name="cap", measure="usd", amount=0.5, window="month", of="user", who="ann"), by="ada")
    assert [limit.name for limit in catalogue.limits.list()] == ["cap", "rpm"]
    catalogue.limits.remove("rpm", by="eve")
    told = [(entry.actor, entry.action, entry.subject) for entry in catalogue.audit.list(10, action="limit.")]
    assert told == [("eve", "limit.removed", "rpm"), ("ada", "limit.set", "cap"), ("ada", "limit.set", "rpm")]
    assert "ann" not in repr(catalogue.audit.list(10))
    assert catalogue.receipts.mentions("ann") == {"limit": ("cap",)}
    with pytest.raises(UnknownName):
        catalogue.limits.remove("rpm")
    with pytest.raises(UnknownName, match="no key 'bto'"):
        catalogue.limits.put(Limit(name="x", measure="requests", amount=5, who="bto"))


@pytest.mark.parametrize(
    "wrong",
    [{"name": "A b"}, {"amount": -1}, {"amount": float("nan")}, {"amount": 1e12}, {"amount": 0.5}, {"who": "\0"},
     {"of": "all", "who": "x"}],
)  # fmt: skip
def test_limits_that_make_no_sense(catalogue: Catalogue, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        catalogue.limits.put(Limit(**({"name": "x", "measure": "requests", "amount": 5, "of": "team"} | wrong)))  # type: ignore[arg-type]
    assert catalogue.limits.list() == []


def test_holders_never_hold_more_than_there_is(catalogue: Catalogue) -> None:
    assert renew(catalogue, "a", ask(60)) == Grant(held=60, used=60)
    assert renew(catalogue, "b", ask(60)) == Grant(held=40, used=100)
    assert renew(catalogue, "b", ask(60)) == Grant(held=40, used=100), "asking again is no second lease"
    assert renew(catalogue, "a", ask(0, spent=10, keep=5)) == Grant(held=5, used=55)
    assert renew(catalogue, "b", ask(90, spent=40)) == Grant(held=45, used=100)
    assert renew(catalogue, "b", ask(0, spent=60)) == Grant(held=0, used=115), "what was used counts, also beyond"
    assert renew(catalogue, "a", ask(9, keep=3)) == Grant(held=3, used=113)
    assert renew(catalogue, "a", ask(9)) == Grant(held=0, used=110)


def test_what_a_dead_process_held_is_free_again_in_time(catalogue: Catalogue) -> None:
    renew(catalogue, "dead", ask(100, spent=0), now=0)
    assert renew(catalogue, "alive", ask(10), now=10).held == 0
    assert renew(catalogue, "alive", ask(10), now=11).held == 10
    assert renew(catalogue, "dead", ask(5, spent=7, keep=1), now=12) == Grant(held=5, used=22), "it was only asleep"


def test_windows_that_are_over_are_tidied_away(catalogue: Catalogue) -> None:
    renew(catalogue, "a", ask(10))
    assert catalogue.limits.used(0) == [("c", HOUR, 10)]
    changes = catalogue.changes
    catalogue.limits.tidy(HOUR + 1)
    assert catalogue.limits.used(0) != []
    catalogue.limits.tidy(2 * HOUR + 1)
    assert catalogue.limits.used(0) == []
    assert catalogue.changes == changes
    assert renew(catalogue, "b", ask(100)).held == 100


def test_many_at_once_share_exactly_what_there_is(catalogue: Catalogue) -> None:
    chance = random.Random(1)

    def work(holder: str) -> int:
        got = 0
        for _ in range(8):
            asks = [ask(1, counter=name, limit=40) for name in chance.sample(["c", "d", "e"], 3)]
            for grant in catalogue.limits.renew(holder, asks, now_ns=0, until_ns=10):
                got += grant.held
            catalogue.limits.renew(
                holder, [ask(0, spent=1, counter=name, limit=40) for name in "cde"], now_ns=0, until_ns=10
            )
        return got

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "wxyz"))
    assert sorted(catalogue.limits.used(0)) == [(name, HOUR, 32) for name in "cde"]


def test_windows_are_aligned_to_utc() -> None:
    leap = 1_709_208_000 * 10**9  # 2024-02-29 12:00
    width = [
        bounds(Limit(name="x", measure="usd", amount=1, window=w), leap) for w in ("minute", "hour", "day", "month")
    ]
    assert [(end - start) // 10**9 for start, end in width] == [60, 3600, 86_400, 29 * 86_400]
    assert all(start <= leap < end for start, end in width)
    december = 1_735_603_200 * 10**9  # 2024-12-31
    start, end = bounds(Limit(name="x", measure="usd", amount=1, window="month"), december)
    assert (end - start) // 10**9 == 31 * 86_400
