"""Measurements to OTLP, so that any collector takes them. It knows names, units and numbers, and not what they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are a package of their own
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

_CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
_SCOPE = "noria"
_SHOWN = 300


class Value(NamedTuple):
    """A sum or a level, for one set of attributes."""

    attributes: Mapping[str, str]
    """Whose it is."""
    value: float
    """The number."""


class Distribution(NamedTuple):
    """How many values fell between which bounds, for one set of attributes."""

    attributes: Mapping[str, str]
    """Whose they are."""
    bounds: Sequence[float]
    """Upper bounds, each inclusive; the last bucket has none."""
    counts: Sequence[int]
    """How many values each bucket holds: one more than there are bounds."""
    total: float
    """Their sum."""


class Metric(NamedTuple):
    """One quantity."""

    name: str
    """Name, as OpenTelemetry writes it."""
    unit: str
    """Unit, as UCUM writes it; empty for a bare number."""
    help: str
    """What it is, one line."""
    points: Sequence[Value] | Sequence[Distribution]
    """Its values, all of one kind."""
    grows: bool = True
    """Whether values add up since the start; else they are levels, as of now."""


def encode_metrics(
    metrics: Iterable[Metric], resource: Mapping[str, str], *, version: str, start_ns: int, now_ns: int
) -> bytes:
    """An ``ExportMetricsServiceRequest`` in protobuf, everything cumulative.

    Arguments:
        metrics: what was measured; one without values is left out.
        resource: who measured it, ``service.name`` and others.
        version: of the program that measures.
        start_ns: since when sums add up, nanoseconds since 1970 UTC.
        now_ns: when they were read.
    """
    made = ExportMetricsServiceRequest()
    from_here = made.resource_metrics.add()
    from_here.resource.attributes.extend(_pairs(resource))
    scope = from_here.scope_metrics.add()
    scope.scope.name, scope.scope.version = _SCOPE, version
    for metric in metrics:
        if metric.points:
            _add(
                scope.metrics.add(name=metric.name, unit=metric.unit, description=metric.help), metric, start_ns, now_ns
            )
    encoded: bytes = made.SerializeToString()
    return encoded


def refused_points(answer: bytes) -> str:
    """What a collector that answered 200 refused all the same, in words; empty where it took everything."""
    response = ExportMetricsServiceResponse()
    try:
        response.ParseFromString(answer)
    except DecodeError:  # some collectors answer an empty JSON object
        return ""
    partial = response.partial_success
    if not partial.rejected_data_points:
        return ""
    return f"it refused {partial.rejected_data_points} values: {partial.error_message[:_SHOWN]}"


def _add(to: otlp.Metric, metric: Metric, start_ns: int, now_ns: int) -> None:
    for point in metric.points:
        if isinstance(point, Distribution):
            to.histogram.aggregation_temporality = _CUMULATIVE
            to.histogram.data_points.add(
                attributes=_pairs(point.attributes),
                start_time_unix_nano=start_ns,
                time_unix_nano=now_ns,
                count=sum(point.counts),
                sum=point.total,
                bucket_counts=point.counts,
                explicit_bounds=point.bounds,
            )
        elif metric.grows:
            to.sum.aggregation_temporality, to.sum.is_monotonic = _CUMULATIVE, True
            to.sum.data_points.add(
                attributes=_pairs(point.attributes),
                start_time_unix_nano=start_ns,
                time_unix_nano=now_ns,
                as_double=point.value,
            )
        else:
            to.gauge.data_points.add(attributes=_pairs(point.attributes), time_unix_nano=now_ns, as_double=point.value)


def _pairs(attributes: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in attributes.items()]
