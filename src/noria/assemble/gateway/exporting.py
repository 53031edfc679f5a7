"""Measurements sent to a collector of OpenTelemetry's, from time to time, as the standard variables say.

They are those of ``/metrics``, counted already, so a call costs nothing more. Everything is cumulative: what a collector
did not take once is in what it gets the next time, so nothing is sent twice and nothing is kept for later.

Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ (the variables).
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

import structlog

from noria.assemble.gateway.measuring import CallMetrics
from noria.assemble.identifiers import new_id
from noria.bridges.otlp.environment import headers_from, pairs_from
from noria.bridges.otlp.metrics import Distribution, Metric, Value, encode_metrics, refused_points
from noria.core.errors import CallFailed, InvalidInput
from noria.core.protocols import Clock
from noria.targets.egress import Egress, Posting, Timeouts

LAST_S = 2.0
"""Seconds that the last export, at the end of the process, may take."""
_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
_PATH = "/v1/metrics"
_log = structlog.get_logger(__name__)


class Destination(NamedTuple):
    """Where measurements go, and how."""

    url: str
    """The collector's."""
    headers: Mapping[str, str]
    """Sent along; they may hold a key."""
    every_s: float
    """Seconds from one export to the next."""
    timeout_s: float
    """Seconds that one may take."""
    packed: bool
    """Whether bodies are compressed."""
    resource: Mapping[str, str]
    """Who measures."""


def destination(environ: Mapping[str, str]) -> Destination | None:
    """What the environment asks for; None where it asks for nothing.

    The general ``OTEL_EXPORTER_OTLP_ENDPOINT`` counts where ``OTEL_METRICS_EXPORTER=otlp`` says so: mostly it is there for
    applications, and leads to this very server.

    Raises:
        InvalidInput: naming the variable, and what is wrong with it.
    """
    wanted = environ.get("OTEL_METRICS_EXPORTER", "").split(",")
    own, general = environ.get(_ENDPOINT, ""), environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or "none" in wanted
    url = own or (f"{general.rstrip('/')}{_PATH}" if general and "otlp" in wanted else "")
    if off or not url:
        return None
    protocol = _either(environ, "PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        raise InvalidInput(
            f"Metrics are sent as http/protobuf, not {protocol[:40]!r}.",
            hint="Set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf, and the collector's port for HTTP, usually 4318.",
        )
    preference = environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative")
    if preference.lower() != "cumulative":
        raise InvalidInput(
            f"Metrics are sent as cumulative sums, not {preference[:40]!r}.",
            hint="Let a collector turn them into deltas (its processor cumulativetodelta).",
        )
    named = {"service.name": environ["OTEL_SERVICE_NAME"]} if environ.get("OTEL_SERVICE_NAME") else {}
    given = pairs_from(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    return Destination(
        url=url,
        headers=headers_from(_either(environ, "HEADERS", "")),
        every_s=_seconds(environ, "OTEL_METRIC_EXPORT_INTERVAL", 60_000),
        timeout_s=_seconds(environ, "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", 10_000),
        packed=_either(environ, "COMPRESSION", "none") == "gzip",
        resource={"service.name": "noria", "service.instance.id": new_id()} | given | named,
    )


class MetricsExport:
    """Sends measurements to a collector.

    Arguments:
        to: where they go.
        egress: the way out. The collector's name may stand for an address that is not public: it mostly does.
        calls: what calls were like.
        numbers: all other numbers, by name; those that end in ``_total`` add up.
        version: Noria's.
        now: the clock.

    Raises:
        InvalidInput: the collector's URL or a header is none.
    """

    def __init__(
        self,
        to: Destination,
        egress: Egress,
        calls: Callable[[], CallMetrics],
        numbers: Callable[[], Mapping[str, float]],
        *,
        version: str,
        now: Clock,
    ) -> None:
        self._to = to
        packing = {"content-encoding": "gzip"} if to.packed else {}
        self._post = Posting(
            egress,
            to.url,
            {**to.headers, "content-type": "application/x-protobuf", **packing},
            name="the collector of metrics",
            waits=Timeouts(connect_s=to.timeout_s, first_byte_s=to.timeout_s, total_s=to.timeout_s),
            private=True,
        )
        self._calls = calls
        self._numbers = numbers
        self._version = version
        self._now = now
        self._start_ns = now()
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""
        self.sent = 0
        """Exports that the collector took."""
        self.failed = 0
        """Those that it did not."""

    def start(self) -> None:
        """Export from time to time from now on, until :meth:`close`."""
        self._task = asyncio.create_task(self._keep_exporting(), name="noria-metrics-export")

    async def close(self) -> None:
        """Export once more, quickly or not at all."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self.export()

    async def export(self) -> None:
        """Send all measurements as they are now. A failure is counted, and the first of several logged."""
        why = await self._sent(dict(self._numbers()))
        if why and not self._trouble:
            _log.warning("metrics.not_exported", to=self._post.shown, why=why)
        elif self._trouble and not why:
            _log.info("metrics.exported_again", to=self._post.shown)
        self._trouble = why
        if why:
            self.failed += 1
        else:
            self.sent += 1

    def numbers(self) -> Mapping[str, float]:
        """What ``/metrics`` shows."""
        return {"noria_metrics_exports_total": self.sent, "noria_metrics_exports_failed_total": self.failed}

    async def _sent(self, numbers: Mapping[str, float]) -> str:
        """Send; why the collector did not take it, empty where it did."""
        body = await asyncio.to_thread(self._encoded, numbers)  # some milliseconds, where there are many models
        try:
            status, answer = await self._post.send(body)
        except CallFailed as error:
            return error.with_inside
        return refused_points(answer) if status == HTTPStatus.OK else f"it answers with {status}"

    async def _keep_exporting(self) -> None:
        while True:
            await asyncio.sleep(self._to.every_s)
            await self.export()

    def _encoded(self, numbers: Mapping[str, float]) -> bytes:
        metrics = [*_measured(self._calls()), *_counted(numbers)]
        resource = {"service.version": self._version, **self._to.resource}
        body = encode_metrics(metrics, resource, version=self._version, start_ns=self._start_ns, now_ns=self._now())
        return gzip.compress(body, 3) if self._to.packed else body


def _measured(calls: CallMetrics) -> Iterator[Metric]:
    for histogram in calls.histograms:
        points = [
            Distribution(_attributes(histogram.labels, one.labels), *_apart(one.buckets, one.calls), one.total)
            for one in histogram.series()
        ]
        yield Metric(histogram.name, histogram.unit, histogram.help, points)
    for counter in calls.counters:
        sums = [Value(_attributes(counter.labels, labels), value) for labels, value in list(counter.values.items())]
        yield Metric(counter.name, "", counter.help, sums)


def _counted(numbers: Mapping[str, float]) -> Iterator[Metric]:
    for name, value in sorted(numbers.items()):
        bare = name.removesuffix("_total")
        yield Metric(bare, "", "", [Value({}, float(value))], grows=bare != name)


def _apart(buckets: Sequence[tuple[float, int]], calls: int) -> tuple[list[float], list[int]]:
    """Bounds, and what each bucket holds by itself: Prometheus' hold all that is smaller, too."""
    upto = [0, *(count for _, count in buckets), calls]
    return [bound for bound, _ in buckets], [after - before for before, after in itertools.pairwise(upto)]


def _attributes(names: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in zip(names, values, strict=True) if value}


def _either(environ: Mapping[str, str], name: str, default: str) -> str:
    """A variable for metrics, else the one for all signals."""
    own, general = f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"
    return environ.get(own) or environ.get(general) or default


def _seconds(environ: Mapping[str, str], name: str, default_ms: int) -> float:
    written = environ.get(name) or str(default_ms)
    if not written.isdecimal() or int(written) == 0:
        raise InvalidInput(f"{name} is a number of milliseconds, more than 0, not {written[:40]!r}.")
    return int(written) / 1000
