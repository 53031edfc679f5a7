"""What a caller is told about its call beside the reply: response headers, all of them in one place.

The table in ``docs/gateway.md`` lists them; a test compares.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from noria.core.attributes import CONTINUED, ROUTE
from noria.core.caching import AGE, CACHE, SIMILARITY
from noria.core.events import Event, OnRecord, Sent
from noria.core.limits import Standing

Fields = list[tuple[bytes, bytes]]
"""Names and values of headers."""

HEADERS: dict[str, str] = {
    "noria-trace-id": "Trace of the call: where its record is. Also as `x-request-id`, which OpenAI's clients show.",
    "noria-variant-id": "The variant of the app that answered.",
    "noria-model": "`provider/model` that answered.",
    "noria-route": "The route that chose it.",
    "noria-attempts": "Calls that were made upstream for it, failed ones counted; 0 where it was turned away here.",
    "noria-continued": "After how many characters another model went on; of streams a comment tells it at the place itself.",
    "noria-cache": "`hit`, `miss` or `skip`, where the app or model has a cache.",
    "noria-cache-age": "Age of the kept reply, seconds.",
    "noria-cache-similarity": "Cosine of the two questions, where the kept reply is to one in other words.",
    "noria-cost-usd": "What the call cost, US dollars, where the price is known; not for streams, whose headers leave before.",
    "noria-dropped": "What was left out: of the request because the provider can't be asked for it, of the answer because the caller's wire has no place for it; of a stream's answer a comment before its end tells it.",
    "noria-emulated": "What Noria did in the provider's place.",
    "noria-budget-remaining-usd": "What is left of the budget that is nearest to its end, where one counts the call.",
    "x-ratelimit-limit-requests": "The limit on requests that is nearest to its end, where one counts the call.",
    "x-ratelimit-remaining-requests": "What is left of it.",
    "x-ratelimit-reset-requests": "When its window ends, such as `59s` or `6m0s`.",
    "x-ratelimit-limit-tokens": "The same of tokens.",
    "x-ratelimit-remaining-tokens": "What is left, after what this call is expected to use.",
    "x-ratelimit-reset-tokens": "When its window ends.",
}
"""Every header and what it says."""


class Facts:
    """What is known of one call so far.

    Arguments:
        trace_id: where its record will be.
    """

    def __init__(self, trace_id: str) -> None:
        self._trace_id = trace_id
        self.sent: Sent | None = None
        """Whom the call went to last."""
        self.kept: OnRecord | None = None
        """Its record, once that is durable."""

    def hear(self, event: Event) -> None:
        """Note whom the call goes to."""
        if isinstance(event, Sent):
            self.sent = event

    def headers(self) -> Fields:
        """All of it, for a reply or a failure."""
        id, kept = self._trace_id.encode(), self.kept
        found = [(b"noria-trace-id", id), (b"x-request-id", id)]
        if self.sent is None:
            found.append((b"noria-attempts", b"0"))
        else:
            found += of_call(self.sent, () if kept is None else kept.dropped)
        if kept is not None and kept.cost_usd is not None:
            found.append((b"noria-cost-usd", b"%.9f" % kept.cost_usd))
        return found


def of_call(sent: Sent, untold: Sequence[str] = ()) -> Fields:
    """What the record knows about a call before its reply, and what the caller isn't told of the reply."""
    request, attributes = sent.request, sent.request.attributes
    found: Fields = []
    if request.lineage.variant_id:
        found.append((b"noria-variant-id", request.lineage.variant_id.encode()))
    if sent.provider:
        found.append((b"noria-model", _model(sent.provider, request.model)))
    if sent.dropped or untold:
        found.append((b"noria-dropped", names_of(sent.dropped, untold)))
    if sent.emulated:
        found.append((b"noria-emulated", ", ".join(sent.emulated).encode()))
    if sent.replays is None and (sent.provider or not sent.asked):
        found.append((b"noria-attempts", b"%d" % sent.made))
    if attributes:
        found += _noted(attributes)
    if sent.standings:
        found += of_limits(sent.standings)
    return found


def names_of(*several: Sequence[str]) -> bytes:
    """Names of what was left out. Those of fields that Noria does not know are the caller's own, so they are quoted."""
    names = dict.fromkeys(name for names in several for name in names)
    return ", ".join(quote(name, safe=_PLAIN) for name in names).encode()


def of_limits(standings: Sequence[Standing]) -> Fields:
    """How the caller's limits stand, as OpenAI's headers say it: of each measure the one that is nearest to its end."""
    nearest: dict[str, Standing] = {}
    for standing in standings:
        near = nearest.setdefault(standing.measure, standing)
        if near is not standing and _share(standing) <= _share(near):
            nearest[standing.measure] = standing
    found: Fields = []
    now_ns = time.time_ns()
    for measure, near in nearest.items():
        if measure == "usd":
            found.append((b"noria-budget-remaining-usd", b"%.6f" % near.remaining))
        elif measure in _COUNTED:
            limit, remaining, reset = _COUNTED[measure]
            left_s = max(0, (near.resets_ns - now_ns + 999_999_999) // 10**9)
            found += (
                (limit, b"%d" % near.amount),
                (remaining, b"%d" % near.remaining),
                (reset, _duration(left_s)),
            )
    return found


_COUNTED = {
    measure: tuple(f"x-ratelimit-{what}-{measure}".encode() for what in ("limit", "remaining", "reset"))
    for measure in ("requests", "tokens")
}


@functools.lru_cache(maxsize=1024)
def _model(provider: str, name: str) -> bytes:
    """A model's whole name as a header carries it."""
    return quote(f"{provider}/{name.removeprefix(f'{provider}/')}", safe=_PLAIN).encode()


def _share(standing: Standing) -> float:
    return standing.remaining / standing.amount if standing.amount else 0.0


@functools.lru_cache(maxsize=1024)
def _duration(seconds: int) -> bytes:
    """A duration as OpenAI writes it: ``6m0s``."""
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return (f"{hours}h" * bool(hours) + f"{minutes}m" * bool(hours or minutes) + f"{seconds % 60}s").encode()


_PLAIN = "/:@.,+-_=()[]{} "
"""Characters of a model's name that a header carries as they are."""


def _noted(attributes: dict[str, Any]) -> Fields:
    continued = attributes.get(CONTINUED)
    said = {
        b"noria-route": attributes.get(ROUTE),
        b"noria-continued": None if continued is None else ", ".join(map(str, continued)),
        b"noria-cache": attributes.get(CACHE),
        b"noria-cache-age": attributes.get(AGE),
        b"noria-cache-similarity": attributes.get(SIMILARITY),
    }
    return [(name, quote(str(value), safe=_PLAIN).encode()) for name, value in said.items() if value is not None]
