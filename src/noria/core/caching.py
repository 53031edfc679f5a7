"""Replies kept to answer the same call again: for whom, for how long, and what is kept of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal, Protocol

from noria.core.events import Content, Raw
from noria.core.identity import content_id
from noria.core.requests import Request
from noria.core.struct import Noun

Embed = Callable[[str, str, Request], Awaitable[Sequence[float]]]
"""Turns a text into a vector: the model (``provider/model``), the text, and the call that asks it."""

CACHE = "noria.cache"
"""Attribute: what the cache did with a call. ``hit``, ``miss``, or ``skip`` where it was left aside."""
WHY_NOT = "noria.cache.why_not"
"""Attribute: why it was left aside."""
AGE = "noria.cache.age_s"
"""Attribute of a hit: how old the reply is, seconds."""
SIMILARITY = "noria.cache.similarity"
"""Attribute of a hit that was not asked in the same words: cosine of the two questions."""
SAVED = "noria.cache.saved_usd"
"""Attribute of a hit: what the call would have cost, US dollars."""


class Similar(Noun, forbid_unknown_fields=True):
    """When two questions that differ in their words count as one."""

    embedder: str
    """What turns a question into a vector: ``provider/model``."""
    threshold: float
    """Least cosine similarity, 0 to 1, as ``noria cache calibrate`` found it."""
    calibration: str
    """Id that the calibration printed: it belongs to this embedder and this threshold, and to no other."""


def calibration_id(embedder: str, threshold: float) -> str:
    """What ``noria cache calibrate`` prints for a threshold, so that one which was made up or copied is noticed."""
    return content_id("calibration", {"embedder": embedder, "threshold": round(threshold, 4)})


class CachePolicy(Noun, forbid_unknown_fields=True):
    """What may be answered from the cache."""

    ttl_s: float = 3600.0
    """Life of a kept reply, seconds."""
    scope: Literal["app", "team", "key", "user"] = "app"
    """Within what a reply may be given again: an app (or a model that is called by itself), and in it one team, one key
    or one end user. No reply crosses it."""
    pace: Literal["at_once", "original"] = "at_once"
    """How a reply is replayed as a stream: all of it at once, or with the pauses it came with."""
    sampled: bool = False
    """Keep replies that were sampled, too: those of a temperature of more than 0."""
    similar: Similar | None = None
    """Answer questions in other words, too."""


class Piece(Noun):
    """One event of a kept reply."""

    after_s: float
    """When it came, seconds from the first event of its call."""
    event: Content | Raw
    """The event."""


class KeptReply(Noun):
    """A complete reply, with what its call is known by."""

    key: str
    """Content id of the request, and the scope."""
    trace_id: str
    """The record of the call."""
    span_id: str
    """The span in the trace."""
    user_id: str | None = None
    """The end user who asked, as the caller named them."""
    kept_ns: int
    """When it was kept, nanoseconds since 1970 UTC."""
    ends_ns: int
    """When it is too old."""
    provider: str = ""
    """Who answered."""
    stream: bool = False
    """Whether its caller read it as a stream."""
    ttft_s: float | None = None
    """Time to first token, seconds; None where it was not streamed."""
    tpot_s: float | None = None
    """Time per output token after the first, seconds."""
    duration_s: float = 0.0
    """Wall time of the call, seconds."""
    pieces: tuple[Piece, ...]
    """The reply, as it came."""
    about: str = ""
    """Content id of everything but the question itself, with the scope; empty where only the same words will do."""
    embedder: str = ""
    """What made ``vector``."""
    vector: bytes = b""
    """The question as a unit vector, little-endian float32."""


class Replies(Protocol):
    """Where replies are kept. It never fails a call: what can't be read is not there, what can't be kept is counted."""

    async def find(self, key: str) -> KeptReply | None:
        """The reply under a key, unless it is too old."""
        ...

    async def near(self, about: str, embedder: str, vector: bytes, threshold: float) -> tuple[KeptReply, float] | None:
        """The reply to the likest question among those with the same ``about``, with its cosine; None below the threshold."""
        ...

    def keep(self, reply: KeptReply) -> None:
        """Keep a reply, in the place of an older one with the same key. Returns at once."""
        ...

    def forget(self, *, user: str = "", traces: Iterable[str] = ()) -> int:
        """Delete replies that were made for a user, or are on record in one of the traces; how many."""
        ...


class Pair(Noun, forbid_unknown_fields=True):
    """Two questions."""

    a: str
    """One."""
    b: str
    """The other."""
    same: bool
    """Whether one answer is right for both."""


class AtThreshold(Noun):
    """What a threshold does to the pairs it is measured on."""

    threshold: float
    """Least cosine."""
    hits: int
    """Pairs with the same answer that it takes for one question."""
    hit_rate: float
    """Their share of those pairs."""
    false_hits: int
    """Pairs with different answers that it takes for one question."""
    false_hit_rate: float
    """Their share of those pairs."""
    upper: float
    """Upper bound of that rate, one-sided 95 %, after Clopper and Pearson."""


class Calibration(Noun):
    """What came out."""

    embedder: str
    """The model, ``provider/model``."""
    id: str = ""
    """To be copied into the settings; empty where no threshold is good enough."""
    threshold: float | None = None
    """The lowest that is good enough on one half of the pairs."""
    measured: AtThreshold | None = None
    """What it does on the other half."""
    most_false: float
    """The highest false-hit rate that was allowed."""
    same: int
    """Pairs with the same answer, in the half that is measured on."""
    different: int
    """Pairs with different answers, there."""
    table: tuple[AtThreshold, ...] = ()
    """Several thresholds, measured on that half."""
    said: str = ""
    """What it means, in words."""
