"""Liveness, readiness, and metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Numbers = Mapping[str, float]
"""Name -> value. Names that end in ``_total`` are counters, others gauges."""

__all__ = ["CONTENT_TYPE_LATEST", "Numbers", "metrics_page"]


class _Snapshot(Collector):
    """Reads the numbers when Prometheus asks, so that nothing is counted twice."""

    def __init__(self, read: Callable[[], Numbers]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, value in sorted(self._read().items()):
            text = name.removeprefix("noria_").removesuffix("_total").replace("_", " ").capitalize() + "."
            if name.endswith("_total"):
                yield CounterMetricFamily(name.removesuffix("_total"), text, value=value)
            else:
                yield GaugeMetricFamily(name, text, value=value)


def metrics_page(read: Callable[[], Numbers]) -> Callable[[], bytes]:
    """A function that renders the numbers in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(read))
    return lambda: generate_latest(registry)
