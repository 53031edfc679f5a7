from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import noria
import noria.sdk
from noria.core.errors import InvalidInput
from noria.sdk import stats
from noria.sdk.settings import sdk_settings

from .collector import Collector, attributes


def test_importing_noria_costs_nothing() -> None:
    code = "import sys, noria; noria.__version__; assert 'trace' in dir(noria); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"msgspec", "opentelemetry", "asyncio", "http.client", "noria.sdk"}.isdisjoint(loaded)


def test_decorating_loads_no_opentelemetry_sdk() -> None:
    code = "import sys, noria\n@noria.trace\ndef f(): pass\nf()\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "opentelemetry.sdk.trace" not in loaded
    assert "noria.stores" not in loaded


def test_names_that_applications_rely_on() -> None:
    names = {"configure", "context", "flush", "headers", "prompt", "score", "trace"}
    assert set(noria.__all__) == names | {"__version__"}
    assert set(noria.sdk.__all__) == names | {"Counts", "FilledPrompt", "Stats", "Step", "shutdown", "stats"}
    for name in names:
        assert getattr(noria, name).__doc__


def test_names_that_noria_has_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tracing'"):
        _ = noria.tracing  # type: ignore[attr-defined]


def test_nothing_configured_nothing_happens() -> None:
    with noria.trace("a") as span:
        span.set(input="x")
        assert noria.score("good", True) is False
    assert noria.flush()
    assert stats().spans.made == 0
    assert isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider)


def test_the_environment_configures(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORIA_URL", collector.url + "/")
    monkeypatch.setenv("NORIA_API_KEY", "from-env")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    with noria.trace("a"):
        assert noria.score("good", True)
    assert noria.flush()
    assert [headers["authorization"] for _, headers in collector.requests] == ["Bearer from-env"] * 2
    assert collector.resources[0]["service.name"] == "shop"
    assert collector.scores[0]["span_id"] == collector.spans[0].span_id.hex()


def test_a_wrong_environment_is_told_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NORIA_URL", "not a url")
    with caplog.at_level(logging.WARNING), noria.trace("a"):
        pass
    assert "'not a url' is no server's URL" in caplog.text


@pytest.mark.parametrize("wrong", [{"url": "ftp://x"}, {"url": "http://x", "key": "a\nb"}, {"colour": "red"}])
def test_wrong_arguments_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        noria.configure(**wrong)


def test_the_applications_own_provider_is_used(collector: Collector) -> None:
    own = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "mine"}))
    provider.add_span_processor(SimpleSpanProcessor(own))
    otel.set_tracer_provider(provider)
    noria.configure(url=collector.url, app="support", linger_s=0.01)
    with otel.get_tracer("theirs").start_as_current_span("request"), noria.trace("answer"):
        pass
    assert noria.flush()
    assert otel.get_tracer_provider() is provider
    assert [span.name for span in own.get_finished_spans()] == ["answer", "request"]
    assert {span.name for span in collector.spans} == {"answer", "request"}
    assert collector.resources[0]["service.name"] == "mine"
    assert attributes(collector.named("request"))["noria.app"] == "support"


def test_without_a_server_spans_go_where_the_application_sends_them() -> None:
    own = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(own))
    otel.set_tracer_provider(provider)
    with noria.context(session="s"), noria.trace("answer"):
        pass
    [span] = own.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["gen_ai.conversation.id"] == "s"


def test_another_configuration_takes_over(collector: Collector) -> None:
    other = Collector()
    noria.configure(url=collector.url, app="first")
    with noria.trace("a"):
        pass
    noria.configure(url=other.url)
    with noria.trace("b"):
        pass
    assert noria.flush()
    assert [span.name for span in collector.spans] == ["a"], "what waited was sent first"
    assert [span.name for span in other.spans] == ["b"]
    assert "noria.app" not in attributes(other.spans[0])
    other.close()


def test_the_key_is_in_no_repr() -> None:
    assert "secret" not in repr(sdk_settings({}, url="http://x", key="secret"))


def test_unsampled_spans_are_not_sent(collector: Collector) -> None:
    otel.set_tracer_provider(TracerProvider(sampler=ALWAYS_OFF))
    noria.configure(url=collector.url)
    with noria.trace("a") as span:
        span.set(input="x")
        assert noria.score("good", True) is False
    assert noria.flush()
    assert collector.requests == []


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput, match="can't hold a user or a password") as refused:
        sdk_settings({}, url="http://ann:s3cret@127.0.0.1:7700")
    assert "s3cret" not in str(refused.value)
