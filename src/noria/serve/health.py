"""Liveness, readiness, and metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from noria.assemble.gateway.measuring import CallMetrics

Numbers = Mapping[str, float]
"""Name -> value. Names that end in ``_total`` are counters, others gauges."""

__all__ = ["CONTENT_TYPE_LATEST", "Numbers", "metrics_page"]


class _Snapshot(Collector):
    """Reads the numbers when Prometheus asks, so that nothing is counted twice."""

    def __init__(self, read: Callable[[], Numbers], calls: Callable[[], CallMetrics] | None) -> None:
        self._read = read
        self._calls = calls

    def collect(self) -> Iterable[Metric]:
        if self._calls is not None:
            yield from _measured(self._calls())
        for name, value in sorted(self._read().items()):
            text = name.removeprefix("noria_").removesuffix("_total").replace("_", " ").capitalize() + "."
            if name.endswith("_total"):
                yield CounterMetricFamily(name.removesuffix("_total"), text, value=value)
            else:
                yield GaugeMetricFamily(name, text, value=value)


def _measured(calls: CallMetrics) -> Iterable[Metric]:
    for histogram in calls.histograms:
        name = _written(histogram.name) + ("_seconds" if histogram.unit == "s" else "")
        family = HistogramMetricFamily(name, histogram.help, labels=[_written(label) for label in histogram.labels])
        for series in histogram.series():
            buckets = [(str(bound), float(upto)) for bound, upto in series.buckets]
            family.add_metric(series.labels, [*buckets, ("+Inf", float(series.calls))], series.total)
        yield family
    for counter in calls.counters:
        labels = [_written(label) for label in counter.labels]
        sums = CounterMetricFamily(_written(counter.name), counter.help, labels=labels)
        for of, value in list(counter.values.items()):
            sums.add_metric(of, value)
        yield sums


def _written(name: str) -> str:
    """OpenTelemetry's name of a metric or label as Prometheus writes it."""
    return name.replace(".", "_")


def metrics_page(read: Callable[[], Numbers], calls: Callable[[], CallMetrics] | None = None) -> Callable[[], bytes]:
    """A function that renders the numbers, and what calls were like, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(read, calls))
    return lambda: generate_latest(registry)
