"""Limits: how much of what a key, a team, an app, a user or everybody may use in a window of time.

Windows are fixed and aligned to UTC: a minute begins at :00, a day at midnight, a month on its first. So within sixty seconds
that lie across two minutes up to twice the amount can pass; in no window more than the amount.
"""

from __future__ import annotations

from typing import Literal, Protocol

from noria.core.struct import Noun

Measure = Literal["requests", "tokens", "usd", "concurrency"]
"""``tokens`` counts prompt and output together; ``concurrency`` the calls under way, and has no window."""
Window = Literal["minute", "hour", "day", "month"]
Of = Literal["all", "key", "team", "app", "user"]

_NANO = 1_000_000_000


class Limit(Noun, forbid_unknown_fields=True):
    """At most so much, for whom, in which time. A limit in US dollars is a budget."""

    name: str
    """What people call it."""
    measure: Measure
    """What is counted."""
    amount: float
    """How much of it may pass in a window."""
    window: Window = "minute"
    """The window; of no meaning for ``concurrency``."""
    of: Of = "key"
    """Whose use is counted together: everybody's, or that of one key, team, app or user."""
    who: str = ""
    """The one that is meant: a key's id, a team, an app or a user. Empty: each has the amount for itself."""

    @property
    def units(self) -> int:
        """The amount in whole units: requests, tokens, calls, or billionths of a dollar."""
        return units(self.measure, self.amount)


class Standing(Noun):
    """How a limit stands for one whose use is counted."""

    limit: str
    """The limit's name."""
    measure: Measure
    """What is counted."""
    who: str
    """Whose use; of a user only a hash. Empty for everybody's."""
    amount: float
    """How much may pass."""
    used: float
    """How much is used or reserved, calls under way included."""
    remaining: float
    """How much is left."""
    resets_ns: int = 0
    """When the window ends, nanoseconds since 1970 UTC; 0 for ``concurrency``."""
    name: str = ""
    """The key's name, where ``who`` is a key."""


class Ask(Noun):
    """What a process tells the shared state about one counter, and wants of it."""

    counter: str
    """The counter's name."""
    starts_ns: int
    """Start of its window."""
    ends_ns: int
    """End of its window."""
    limit: int
    """How many units may be used in all."""
    spent: int
    """Units used since the last time it told."""
    keep: int
    """Units of its lease that it goes on to hold in any case: those of its calls under way, and what they may reserve meanwhile."""
    wish: int
    """Units that it wants to hold, those included."""


class Grant(Noun):
    """What came of it."""

    held: int
    """Units that the process may use from now on without asking: never so many that all together exceed the limit."""
    used: int
    """Units used or held by all processes together, this one's included."""


class SharedCounters(Protocol):
    """Counters that several processes share."""

    def renew(self, holder: str, asks: list[Ask], *, now_ns: int, until_ns: int) -> list[Grant]:
        """Settle what was used, and hold anew, each counter whole; what a holder does not renew by ``until_ns`` is free again.

        Raises:
            Unavailable: the state can't be reached; nothing was changed.
        """
        ...


def parts(measure: Measure) -> int:
    """How many units one request, token, call or dollar is."""
    return _NANO if measure == "usd" else 1


def units(measure: Measure, amount: float) -> int:
    """An amount in whole units."""
    return round(amount * _NANO) if measure == "usd" else int(amount)


def amount(measure: Measure, units: int) -> float:
    """Units as an amount."""
    return units / parts(measure)
