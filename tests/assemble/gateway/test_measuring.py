"""What live calls were like, by model, in bounded memory."""

from __future__ import annotations

from typing import Any

from noria.assemble.gateway.measuring import MOST_MODELS, OTHER, CallMetrics, Histogram, Series
from noria.core.spans import Span

SECOND = 10**9


def span(**changes: Any) -> Span:
    given = {
        "trace_id": "t", "span_id": "s", "name": "chat", "start_ns": 0, "end_ns": 2 * SECOND, "provider": "p",
        "request_model": "m", "input_tokens": 5, "output_tokens": 3, "ttft_s": 0.5, "tpot_s": 0.1, "cost_usd": 0.25,
    }  # fmt: skip
    return Span(**given | changes)


def all_of(metrics: CallMetrics, name: str) -> dict[tuple[str, ...], Series]:
    [histogram] = [one for one in metrics.histograms if one.name == name]
    return {series.labels: series for series in histogram.series()}


def sums(metrics: CallMetrics, name: str) -> dict[tuple[str, ...], float]:
    [counter] = [one for one in metrics.counters if one.name == name]
    return counter.values


def test_a_bucket_holds_what_is_at_most_its_bound() -> None:
    histogram = Histogram("h", "s", "help", (), (1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe((), value)
    assert list(histogram.series()) == [Series((), [(1.0, 2), (2.0, 3)], 4, 12.0)]


def test_a_call() -> None:
    metrics = CallMetrics()
    metrics.observe(span())
    metrics.observe(span(status="error", error_type="call_timeout", ttft_s=None, tpot_s=None, cost_usd=None))
    model = ("chat", "p", "m")
    duration = all_of(metrics, "gen_ai.client.operation.duration")
    assert {labels: (one.calls, one.total) for labels, one in duration.items()} == {
        (*model, ""): (1, 2.0),
        (*model, "call_timeout"): (1, 2.0),
    }
    assert all_of(metrics, "gen_ai.client.operation.time_to_first_chunk")[model].total == 0.5
    assert all_of(metrics, "gen_ai.server.request.duration") == {}
    assert sums(metrics, "noria_cost_usd") == {model: 0.25}


def test_a_local_engine_is_a_server_too() -> None:
    metrics = CallMetrics()
    metrics.observe(span(provider="local"))
    model = ("chat", "local", "m")
    assert all_of(metrics, "gen_ai.server.request.duration")[(*model, "")].calls == 1
    assert all_of(metrics, "gen_ai.server.time_to_first_token")[model].total == 0.5
    assert all_of(metrics, "gen_ai.server.time_per_output_token")[model].total == 0.1


def test_what_a_kept_reply_answered_was_no_call_of_a_model() -> None:
    metrics = CallMetrics()
    metrics.observe(span(cached=True, cost_usd=0.0, attributes={"noria.cache": "hit", "noria.cache.saved_usd": 0.5}))
    assert all_of(metrics, "gen_ai.client.operation.duration") == {}
    assert sums(metrics, "noria_cache_calls") == {("hit",): 1}
    assert sums(metrics, "noria_cache_saved_usd") == {(): 0.5}


def test_guards_are_counted() -> None:
    metrics = CallMetrics()
    metrics.observe(span(attributes={"noria.guards": [{"guard": "g", "action": "redacted", "count": 3}]}))
    assert sums(metrics, "noria_guard_findings") == {("g", "redacted"): 3}


def test_callers_can_not_fill_the_memory_with_names() -> None:
    metrics = CallMetrics()
    for number in range(3 * MOST_MODELS):
        metrics.observe(span(request_model=f"invented-{number}", status="error", error_type="call_refused"))
    metrics.observe(span())
    for number in range(3 * MOST_MODELS):
        metrics.observe(span(request_model=f"real-{number}"))
    found = all_of(metrics, "gen_ai.client.operation.time_to_first_chunk")
    assert len(found) == MOST_MODELS + 1
    assert found["chat", "p", "m"].calls == 1
    assert found["chat", OTHER, OTHER].calls > MOST_MODELS
