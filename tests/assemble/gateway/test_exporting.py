"""Measurements that go to a collector, which takes them or does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from noria.assemble import open_workspace
from noria.assemble.gateway.exporting import MetricsExport, destination
from noria.assemble.gateway.measuring import CallMetrics
from noria.core.errors import InvalidInput
from noria.core.spans import Span
from noria.settings import Settings
from noria.targets.egress import Egress

OWN = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"
CALL = Span(
    trace_id="t", span_id="s", name="chat", start_ns=0, end_ns=2 * 10**9, provider="p", request_model="m",
    input_tokens=5, output_tokens=4, ttft_s=0.5, cost_usd=0.25,
)  # fmt: skip


class Collector:
    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.got: list[ExportMetricsServiceRequest] = []
        self.headers: dict[str, str] = {}

    async def take(self, request: web.Request) -> web.Response:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(ExportMetricsServiceRequest.FromString(await request.read()))  # aiohttp has unpacked it
        return web.Response(status=self.status)

    def metrics(self) -> dict[str, Any]:
        [resource] = self.got[-1].resource_metrics
        return {metric.name: metric for metric in resource.scope_metrics[0].metrics}


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    made = Collector()
    application = web.Application()
    application.router.add_post("/v1/metrics", made.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/metrics"
    yield made
    await runner.cleanup()


@asynccontextmanager
async def exporting(
    url: str, calls: CallMetrics, numbers: Callable[[], dict[str, float]] = dict, **environ: str
) -> AsyncIterator[MetricsExport]:
    to = destination({OWN: url, **environ})
    assert to
    async with aclosing(Egress()) as egress:
        yield MetricsExport(to, egress, lambda: calls, numbers, version="1.2", now=lambda: 7)


async def test_calls_in_the_terms_of_the_conventions(collector: Collector) -> None:
    calls = CallMetrics()
    calls.observe(CALL)
    numbers = {"noria_calls_running": 3.0, "noria_retries_total": 2.0}
    more = {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=s%20t", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    async with exporting(collector.url, calls, lambda: numbers, **more) as export:
        await export.export()
        assert (export.sent, export.failed) == (1, 0)
    assert (collector.headers["x-key"], collector.headers["content-encoding"]) == ("s t", "gzip")
    found = collector.metrics()
    duration = found["gen_ai.client.operation.duration"]
    assert duration.unit == "s"
    [point] = duration.histogram.data_points
    assert {pair.key: pair.value.string_value for pair in point.attributes} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "p",
        "gen_ai.request.model": "m",
    }
    assert (point.count, point.sum) == (1, 2.0)
    full = [bound for bound, count in zip([*point.explicit_bounds, 0], point.bucket_counts, strict=True) if count]
    assert full == [2.56]
    tokens = found["gen_ai.client.token.usage"]
    assert tokens.unit == "{token}"
    kinds = [
        {pair.key: pair.value.string_value for pair in one.attributes}["gen_ai.token.type"]
        for one in tokens.histogram.data_points
    ]
    assert kinds == ["input", "output"]
    assert found["noria_retries"].sum.data_points[0].as_double == 2.0
    assert found["noria_calls_running"].gauge.data_points[0].as_double == 3.0


async def test_a_collector_that_is_away_gets_everything_later(collector: Collector) -> None:
    calls = CallMetrics()
    async with exporting(collector.url, calls) as export:
        with structlog.testing.capture_logs() as logs:
            collector.status = 503
            for _ in range(2):
                calls.observe(CALL)
                await export.export()
            collector.status = 200
            await export.export()
        assert (export.sent, export.failed) == (1, 2)
    assert [line["event"] for line in logs] == ["metrics.not_exported", "metrics.exported_again"]
    [point] = collector.metrics()["gen_ai.client.operation.duration"].histogram.data_points
    assert point.count == 2


async def test_nobody_there() -> None:
    async with exporting("http://127.0.0.1:9/v1/metrics", CallMetrics()) as export:
        await export.export()
        assert (export.sent, export.failed) == (0, 1)


async def test_a_server_exports_until_its_end(collector: Collector, tmp_path: Path) -> None:
    environ = {OWN: collector.url, "OTEL_SERVICE_NAME": "door", "OTEL_RESOURCE_ATTRIBUTES": "zone=a%2Cb"}
    settings = Settings(data=str(tmp_path / "data"))
    async with open_workspace(settings, environ, holder="a test") as workspace:
        workspace.announce("http://127.0.0.1:7700")
        workspace.calling.metrics.observe(CALL)
        assert workspace.numbers()["noria_metrics_exports_total"] == 0
    assert "gen_ai.client.operation.duration" in collector.metrics()
    [resource] = collector.got[-1].resource_metrics
    said = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert (said["service.name"], said["zone"], len(said["service.instance.id"])) == ("door", "a,b", 32)


def test_what_asks_for_an_export() -> None:
    assert destination({}) is None
    assert destination({GENERAL: "http://a"}) is None  # it may be this very server, for applications
    general = destination({GENERAL: "http://a/", "OTEL_METRICS_EXPORTER": "otlp"})
    assert general is not None
    assert (general.url, general.every_s, general.timeout_s) == ("http://a/v1/metrics", 60.0, 10.0)
    own = destination({OWN: "http://b/x", GENERAL: "http://a", "OTEL_METRIC_EXPORT_INTERVAL": "500"})
    assert own is not None
    assert (own.url, own.every_s) == ("http://b/x", 0.5)
    for off in ({"OTEL_METRICS_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}):
        assert destination({OWN: "http://b", **off}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "key"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ],
)
def test_variables_that_are_wrong(name: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        destination({OWN: "http://b", name: value})
