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
from noria.serve.asgi import Lines

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

    def lines(self) -> Lines:
        """All of it, for a reply or a failure."""
        id, sent, kept = self._trace_id.encode(), self.sent, self.kept
        return b"noria-trace-id: %b\r\nx-request-id: %b\r\n%b%b" % (
            id,
            id,
            b"noria-attempts: 0\r\n" if sent is None else of_call(sent, () if kept is None else kept.dropped),
            b"" if kept is None or kept.cost_usd is None else b"noria-cost-usd: %.9f\r\n" % kept.cost_usd,
        )


def of_call(sent: Sent, untold: Sequence[str] = ()) -> Lines:
    """What the record knows about a call before its reply, and what the caller isn't told of the reply."""
    request, attributes = sent.request, sent.request.attributes
    found: list[Lines] = []
    if request.lineage.variant_id:
        found.append(_line("noria-variant-id", request.lineage.variant_id))
    if sent.provider:
        found.append(_model(sent.provider, request.model))
    if sent.dropped or untold:
        found.append(b"noria-dropped: %b\r\n" % names_of(sent.dropped, untold))
    if sent.emulated:
        found.append(_line("noria-emulated", ", ".join(sent.emulated)))
    if sent.replays is None and (sent.provider or not sent.asked):
        found.append(b"noria-attempts: %d\r\n" % sent.made)
    if attributes:
        found += _noted(attributes)
    if sent.standings:
        found.append(of_limits(sent.standings))
    return b"".join(found)


def names_of(*several: Sequence[str]) -> bytes:
    """Names of what was left out. Those of fields that Noria does not know are the caller's own, so they are quoted."""
    names = dict.fromkeys(name for names in several for name in names)
    return ", ".join(quote(name, safe=_PLAIN) for name in names).encode()


def of_limits(standings: Sequence[Standing]) -> Lines:
    """How the caller's limits stand, as OpenAI's headers say it: of each measure the one that is nearest to its end."""
    nearest: dict[str, Standing] = {}
    for standing in standings:
        near = nearest.setdefault(standing.measure, standing)
        if near is not standing and _share(standing) <= _share(near):
            nearest[standing.measure] = standing
    lines, now_ns = b"", time.time_ns()
    for measure, near in nearest.items():
        if measure == "usd":
            lines += b"noria-budget-remaining-usd: %.6f\r\n" % near.remaining
        elif measure in _COUNTED:
            left_s = max(0, (near.resets_ns - now_ns + 999_999_999) // 10**9)
            lines += _COUNTED[measure] % (near.amount, near.remaining, _duration(left_s))
    return lines


_COUNTED = {
    measure: (
        f"x-ratelimit-limit-{measure}: %d\r\nx-ratelimit-remaining-{measure}: %d\r\nx-ratelimit-reset-{measure}: %b\r\n"
    ).encode()
    for measure in ("requests", "tokens")
}


@functools.lru_cache(maxsize=1024)
def _model(provider: str, name: str) -> Lines:
    """The header that tells a model's whole name."""
    return _line("noria-model", f"{provider}/{name.removeprefix(f'{provider}/')}")


def _line(name: str, value: str) -> Lines:
    """A header whose value may be anything."""
    return f"{name}: {quote(value, safe=_PLAIN)}\r\n".encode()


def _share(standing: Standing) -> float:
    return standing.remaining / standing.amount if standing.amount else 0.0


@functools.lru_cache(maxsize=1024)
def _duration(seconds: int) -> bytes:
    """A duration as OpenAI writes it: ``6m0s``."""
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return (f"{hours}h" * bool(hours) + f"{minutes}m" * bool(hours or minutes) + f"{seconds % 60}s").encode()


_PLAIN = "/:@.,+-_=()[]{} "
"""Characters of a value that a header carries as they are."""


def _noted(attributes: dict[str, Any]) -> list[Lines]:
    continued = attributes.get(CONTINUED)
    said = {
        "noria-route": attributes.get(ROUTE),
        "noria-continued": None if continued is None else ", ".join(map(str, continued)),
        "noria-cache": attributes.get(CACHE),
        "noria-cache-age": attributes.get(AGE),
        "noria-cache-similarity": attributes.get(SIMILARITY),
    }
    return [_line(name, str(value)) for name, value in said.items() if value is not None]
