"""Measurements in OTLP, read back with OpenTelemetry's own messages."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from noria.bridges.otlp.metrics import Distribution, Metric, Value, encode_metrics, refused_points

MODEL = {"gen_ai.request.model": "m"}


def encoded(*metrics: Metric) -> otlp.ResourceMetrics:
    data = encode_metrics(metrics, {"service.name": "noria"}, version="1", start_ns=5, now_ns=9)
    [found] = ExportMetricsServiceRequest.FromString(data).resource_metrics
    return found


def test_a_distribution_a_sum_and_a_level() -> None:
    found = encoded(
        Metric("h", "s", "How long.", [Distribution(MODEL, [1.0, 2.0], [1, 0, 2], 9.5)]),
        Metric("c", "", "How many.", [Value({}, 3.0)]),
        Metric("g", "", "How many now.", [Value({}, 4.0)], grows=False),
        Metric("nothing", "", "", []),
    )
    assert [(pair.key, pair.value.string_value) for pair in found.resource.attributes] == [("service.name", "noria")]
    [scope] = found.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("noria", "1")
    long, many, level = scope.metrics
    assert (long.name, long.unit, long.description) == ("h", "s", "How long.")
    assert long.histogram.aggregation_temporality == otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
    [point] = long.histogram.data_points
    assert [(pair.key, pair.value.string_value) for pair in point.attributes] == list(MODEL.items())
    assert (point.start_time_unix_nano, point.time_unix_nano, point.count, point.sum) == (5, 9, 3, 9.5)
    assert (list(point.explicit_bounds), list(point.bucket_counts)) == ([1.0, 2.0], [1, 0, 2])
    assert many.sum.is_monotonic
    assert [one.as_double for one in many.sum.data_points] == [3.0]
    assert [one.as_double for one in level.gauge.data_points] == [4.0]


def test_what_a_collector_refused() -> None:
    partial = ExportMetricsServiceResponse()
    partial.partial_success.rejected_data_points, partial.partial_success.error_message = 2, "too old"
    assert refused_points(partial.SerializeToString()) == "it refused 2 values: too old"
    assert refused_points(b"") == refused_points(b"{}") == ""
