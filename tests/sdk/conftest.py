from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.util._once import Once

import noria
from noria.sdk import client

from .collector import Collector


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is a process of its own: no provider set, nothing configured, no server named."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(client, "_process", client._Process())
    for name in ("NORIA_URL", "NORIA_API_KEY", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    yield
    if client._process.client is not None:
        client._process.client.close(0.2)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def configured(collector: Collector) -> Collector:
    """The SDK sends to it."""
    noria.configure(url=collector.url, key="k", linger_s=0.01)
    return collector
