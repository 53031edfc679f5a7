"""What live calls were like, counted under the names of OpenTelemetry's GenAI conventions: for ``/metrics``, and for export.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/ (status "Development"); buckets are its, too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from noria.core.attributes import PURPOSE, REFUSED_BY
from noria.core.caching import CACHE, SAVED
from noria.core.guards import GUARDS
from noria.core.spans import Span
from noria.core.struct import Noun

MOST_MODELS = 200
"""Models that have numbers of their own; callers choose names, so they must not fill the memory. Later ones are one."""
OTHER = "_other"
"""Name of all later ones."""

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_EACH = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = tuple(4.0**power for power in range(14))

Labels = tuple[str, ...]


class Series(NamedTuple):
    """A histogram for one set of labels."""

    labels: Labels
    buckets: Sequence[tuple[float, int]]
    """Upper bound, and how many were at most so large; without the last bucket, which is all."""
    calls: int
    """All of them."""
    total: float
    """Their sum."""


class CallNumbers(Noun):
    """What :class:`CallMetrics` has counted, to be added up elsewhere."""

    histograms: dict[str, list[tuple[Labels, list[int], float]]]
    """Name -> labels, calls by bucket, and their sum."""
    counters: dict[str, list[tuple[Labels, float]]]
    """Name -> labels and value."""


class Histogram:
    """Distributions of one quantity by labels."""

    def __init__(self, name: str, unit: str, help: str, labels: Labels, bounds: tuple[float, ...]) -> None:
        self.name = name
        """Name in OpenTelemetry."""
        self.unit = unit
        """Unit, as UCUM writes it: ``s``, ``{token}``."""
        self.help = help
        """What it is, one line."""
        self.labels = labels
        """Names of its labels in OpenTelemetry; one that is empty says nothing."""
        self._bounds = bounds
        self._counts: dict[Labels, list[int]] = {}
        self._totals: dict[Labels, float] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """Count one."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
            self._totals[labels] = 0.0
        counts[bisect_left(self._bounds, value)] += 1
        self._totals[labels] += value

    def add(self, labels: Labels, counts: Sequence[int], total: float) -> None:
        """Add what another has counted."""
        mine = self._counts.get(labels, [0] * len(counts))
        self._counts[labels] = [one + other for one, other in zip(mine, counts, strict=True)]
        self._totals[labels] = self._totals.get(labels, 0.0) + total

    def counted(self) -> list[tuple[Labels, list[int], float]]:
        """All of it, for :meth:`add`."""
        return [(labels, list(counts), self._totals[labels]) for labels, counts in list(self._counts.items())]

    def series(self) -> Iterator[Series]:
        """All of it, as it is now."""
        for labels, counts in list(self._counts.items()):
            *upto, count = accumulate(counts)
            yield Series(labels, list(zip(self._bounds, upto, strict=True)), count, self._totals[labels])


class Counter:
    """Sums of one quantity by labels."""

    def __init__(self, name: str, help: str, labels: Labels) -> None:
        self.name = name
        """Name, without Prometheus' ``_total``."""
        self.help = help
        """What it is, one line."""
        self.labels = labels
        """Names of its labels in OpenTelemetry."""
        self.values: dict[Labels, float] = {}
        """The sums."""

    def add(self, labels: Labels, value: float = 1.0) -> None:
        """Add to one."""
        self.values[labels] = self.values.get(labels, 0.0) + value


_MODEL = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")


class CallMetrics:
    """Observes the record of every live call, and what it cost that Noria asked by itself.

    A call that a kept reply answered was made by nobody, so it is counted as such and is in no distribution. So is one that was
    turned down (``noria.refused_by``): no model failed at it.
    """

    def __init__(self) -> None:
        client, server = "gen_ai.client.operation", "gen_ai.server"
        failed = (*_MODEL, "error.type")
        self._duration = Histogram(f"{client}.duration", "s", "Duration of calls of models.", failed, _SECONDS)
        self._first = Histogram(
            f"{client}.time_to_first_chunk", "s", "From the request to the first content.", _MODEL, _FIRST
        )
        self._each = Histogram(
            f"{client}.time_per_output_chunk", "s", "Between pieces of content, by token.", _MODEL, _EACH
        )
        self._tokens = Histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of one call.", (*_MODEL, "gen_ai.token.type"), _TOKENS
        )
        self._served = Histogram(
            f"{server}.request.duration", "s", "Duration of calls of local engines.", failed, _SECONDS
        )
        self._served_first = Histogram(
            f"{server}.time_to_first_token", "s", "To the first token of local engines.", _MODEL, _FIRST
        )
        self._served_each = Histogram(
            f"{server}.time_per_output_token", "s", "Between tokens of local engines.", _MODEL, _EACH
        )
        self._cost = Counter("noria_cost_usd", "What calls cost, where the price is known, US dollars.", _MODEL)
        self._unpriced = Counter("noria_calls_without_price", "Calls whose price is unknown.", _MODEL)
        self._own_cost = Counter(
            "noria_own_calls_cost_usd",
            "What calls cost that Noria made by itself, where the price is known, US dollars.",
            (*_MODEL, "purpose"),
        )
        self._own_unpriced = Counter(
            "noria_own_calls_without_price",
            "Calls that Noria made by itself, whose price is unknown.",
            (*_MODEL, "purpose"),
        )
        self._refused = Counter(
            "noria_calls_refused", "Calls that were turned down: no model failed at them.", (*_MODEL, "by")
        )
        self._cached = Counter("noria_cache_calls", "Calls by what the cache did.", ("outcome",))
        self._saved = Counter("noria_cache_saved_usd", "What calls would have cost that kept replies answered.", ())
        self._guards = Counter("noria_guard_findings", "What guards found and did.", ("guard", "action"))
        self.histograms = (
            self._duration, self._first, self._each, self._tokens, self._served, self._served_first, self._served_each,
        )  # fmt: skip
        """All distributions."""
        self.counters = (
            self._cost,
            self._unpriced,
            self._own_cost,
            self._own_unpriced,
            self._refused,
            self._cached,
            self._saved,
            self._guards,
        )
        """All sums."""
        self._models: set[Labels] = set()

    @property
    def cached(self) -> dict[str, int]:
        """Calls by what the cache did."""
        return {outcome: int(calls) for (outcome,), calls in self._cached.values.items()}

    @property
    def saved_usd(self) -> float:
        """What calls would have cost that kept replies answered, US dollars."""
        return self._saved.values.get((), 0.0)

    def found_by(self, guard: str) -> dict[str, int]:
        """What a guard found, by what was done."""
        return {action: int(count) for (name, action), count in self._guards.values.items() if name == guard}

    def observe(self, span: Span) -> None:
        """Count one call."""
        if span.attributes:
            self._observe_attributes(span.attributes)
        if span.cached:
            return
        provider, name = _called(span)
        model = self._known((span.operation, provider, name), span.status == "ok")
        if refused_by := span.attributes.get(REFUSED_BY):
            self._refused.add((*model, str(refused_by)))
        else:
            self._observe_times(span, model)
        if span.input_tokens is not None:
            self._tokens.observe((*model, "input"), span.input_tokens)
        if span.output_tokens is not None:
            self._tokens.observe((*model, "output"), span.output_tokens)
        if span.cost_usd is not None:
            self._cost.add(model, span.cost_usd)
        elif span.status == "ok":
            self._unpriced.add(model)

    def observe_own(self, span: Span) -> None:
        """Count what a call cost that Noria made by itself: a judge's, one of the cache for a vector, a doctor's."""
        model = self._known((span.operation, *_called(span)), span.status == "ok")
        labels = (*model, str(span.attributes.get(PURPOSE, "doctor")))
        if span.cost_usd is not None:
            self._own_cost.add(labels, span.cost_usd)
        elif span.status == "ok":
            self._own_unpriced.add(labels)

    def counted(self) -> CallNumbers:
        """All of it as it is now."""
        return CallNumbers(
            histograms={histogram.name: histogram.counted() for histogram in self.histograms},
            counters={counter.name: list(counter.values.items()) for counter in self.counters},
        )

    def add(self, numbers: CallNumbers) -> None:
        """Add what another has counted."""
        for histogram in self.histograms:
            for labels, counts, total in numbers.histograms.get(histogram.name, ()):
                histogram.add(labels, counts, total)
        for counter in self.counters:
            for labels, value in numbers.counters.get(counter.name, ()):
                counter.add(labels, value)

    def _observe_times(self, span: Span, model: Labels) -> None:
        seconds = (span.end_ns - span.start_ns) / 1e9
        failed = (*model, "" if span.status == "ok" else span.error_type or span.status)
        self._duration.observe(failed, seconds)
        self._time(span, model, self._first, self._each)
        if span.provider == "local":
            self._served.observe(failed, seconds)
            self._time(span, model, self._served_first, self._served_each)

    @staticmethod
    def _time(span: Span, model: Labels, first: Histogram, each: Histogram) -> None:
        if span.ttft_s is not None:
            first.observe(model, span.ttft_s)
        if span.tpot_s is not None:
            each.observe(model, span.tpot_s)

    def _observe_attributes(self, attributes: Mapping[str, object]) -> None:
        if outcome := attributes.get(CACHE):
            self._cached.add((str(outcome),))
        saved = attributes.get(SAVED)
        if isinstance(saved, float):
            self._saved.add((), saved)
        notes = attributes.get(GUARDS)
        for note in notes if isinstance(notes, list) else ():
            self._guards.add((note["guard"], note["action"]), note["count"])

    def _known(self, model: Labels, answered: bool) -> Labels:
        """The model; a name that has never answered may be a caller's invention, and gets no numbers of its own."""
        if model in self._models:
            return model
        if answered and len(self._models) < MOST_MODELS:
            self._models.add(model)
            return model
        return (model[0], OTHER, OTHER)


def _called(span: Span) -> Labels:
    """Provider and model; of a call that was refused before anybody was chosen, those that its caller named."""
    if span.provider is None and span.request_model and "/" in span.request_model:
        provider, _, model = span.request_model.partition("/")
        return provider, model
    return span.provider or OTHER, span.request_model or OTHER
