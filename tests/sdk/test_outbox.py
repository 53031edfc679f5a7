"""Whatever the server does, the application goes on, memory is bounded, and the counts add up."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import context

import noria
from noria.sdk import shutdown, stats
from noria.sdk.connection import Connection
from noria.sdk.counts import Counts
from noria.sdk.outbox import BATCH_RECORDS, Letter, Outbox
from noria.sdk.processor import spans_letter
from noria.sdk.settings import SDKSettings

from .collector import OK, Collector, Reply, attributes, partial


def adds_up(counts: Counts) -> bool:
    return counts.made == counts.sent + counts.queued + sum(counts.dropped.values())


def held(hold: threading.Event) -> Callable[[str, int], Reply]:
    def answer(_path: str, _number: int) -> Reply:
        hold.wait(20)
        return OK

    return answer


def make(count: int, **facts: Any) -> None:
    for _ in range(count):
        with noria.trace("made", **facts):
            pass


ANSWERS = st.sampled_from(
    [
        OK,
        partial(1),
        partial(99),
        (503, {"retry-after": "0"}, b""),
        (429, {"retry-after": "0"}, b"slow"),
        (400, {}, b"bad"),
        (413, {}, b"big"),
        (401, {}, b"key"),
        (500, {"retry-after": "0"}, b""),
        (302, {"location": "http://evil"}, b""),
    ]
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(script=st.lists(ANSWERS, max_size=12), records=st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_counts_add_up_whatever_the_server_answers(script: list[Reply], records: list[int]) -> None:
    collector = Collector()
    remaining = list(script)
    collector.answer = lambda *_: remaining.pop(0) if remaining else OK
    letter = Letter("/x", "text/plain", True, b"".join, spans_letter().refused)
    config = SDKSettings(url=collector.url, linger_s=0, queue_records=20)
    outbox: Outbox[bytes] = Outbox(letter, Connection(collector.url, "", 5), config)
    for size in records:
        outbox.put(b"x" * size, size)
        assert adds_up(outbox.counts())
    assert outbox.flush(20)
    counts = outbox.counts()
    assert counts.made == len(records)
    assert (counts.queued, counts.queued_bytes) == (0, 0)
    assert adds_up(counts)
    assert outbox.close(1)
    collector.close()


def test_a_server_that_comes_back_gets_everything(configured: Collector) -> None:
    down = True
    configured.answer = lambda *_: (503, {"retry-after": "0"}, b"full") if down else OK
    make(700)
    while stats().spans.retries < 2:
        time.sleep(0.01)
    assert stats().spans.queued == 700
    assert "answered 503: full" in stats().spans.last_problem
    down = False
    assert noria.flush(20)
    assert stats().spans.sent == len(configured.spans) == 700
    assert len({span.span_id for span in configured.spans}) == 700


def test_retry_after_is_honoured(configured: Collector) -> None:
    at: list[float] = []

    def answer(_path: str, number: int) -> Reply:
        at.append(time.monotonic())
        return (429, {"retry-after": "1"}, b"") if number == 1 else OK

    configured.answer = answer
    make(1)
    while stats().spans.sent < 1:
        time.sleep(0.01)
    assert 1.0 <= at[1] - at[0] < 5


def test_what_is_refused_is_counted_and_told(configured: Collector, caplog: pytest.LogCaptureFixture) -> None:
    configured.answer = lambda *_: partial(2, "no trace id")
    make(3)
    assert noria.flush()
    assert stats().spans.dropped == {"refused": 2}
    assert stats().spans.sent == 1
    configured.answer = lambda *_: (401, {}, b'{"error":"The key is wrong."}')
    make(3)
    assert noria.flush()
    assert stats().spans.dropped == {"refused": 5}
    assert "The key is wrong." in stats().spans.last_problem
    told = [record for record in caplog.records if record.name == "noria.sdk"]
    assert len(told) == 1, "one line a minute is enough"


def test_a_batch_that_is_too_large_is_halved(configured: Collector) -> None:
    configured.answer = lambda _path, number: (413, {}, b"") if number < 4 else OK
    make(8)
    assert noria.flush()
    assert stats().spans.sent == len(configured.spans) == 8
    assert len(configured.requests) > 4


def test_the_queue_is_bounded_by_count_and_by_bytes(collector: Collector) -> None:
    hold = threading.Event()
    collector.answer = held(hold)
    noria.configure(url=collector.url, queue_records=50, linger_s=0)
    began = time.monotonic()
    make(80)
    assert time.monotonic() - began < 2, "the application never waits"
    assert stats().spans.queued == 50
    assert stats().spans.dropped == {"full": 30}
    hold.set()
    assert noria.flush()
    assert stats().spans.sent == 50
    hold.clear()
    noria.configure(url=collector.url, queue_bytes=100_000, linger_s=0)
    make(30, note="x" * 10_000)
    assert stats().spans.queued == 9
    assert stats().spans.queued_bytes <= 100_000
    hold.set()
    assert noria.flush()
    assert adds_up(stats().spans)


def test_requests_are_bounded_and_compressed(configured: Collector) -> None:
    make(BATCH_RECORDS + 1)
    assert noria.flush()
    assert len(configured.requests) >= 2
    assert {headers.get("content-encoding") for _, headers in configured.requests} & {"gzip"}
    length = sum(int(headers["content-length"]) for _, headers in configured.requests)
    assert length < 100 * BATCH_RECORDS


def test_a_server_that_hangs_holds_up_nobody(collector: Collector) -> None:
    hold = threading.Event()
    collector.answer = held(hold)
    noria.configure(url=collector.url, linger_s=0)
    began = time.monotonic()
    make(10)
    assert not noria.flush(0.2)
    assert not shutdown(0.2)
    assert time.monotonic() - began < 3
    assert adds_up(stats().spans)
    assert stats().spans.dropped == {"exit": 10}
    hold.set()
    make(1)
    assert stats().spans.dropped == {"exit": 11}


def test_a_kept_connection_that_the_server_closed_is_no_failure(configured: Collector) -> None:
    configured.answer = lambda *_: (200, {"connection": "close"}, b"")  # said, or not, as an idle limit would
    for _ in range(3):
        make(1)
        assert noria.flush()
    assert (stats().spans.sent, stats().spans.retries) == (3, 0)


def test_the_key_goes_to_no_other_address(configured: Collector) -> None:
    other = Collector()
    configured.answer = lambda *_: (307, {"location": f"{other.url}/v1/traces"}, b"")
    make(1)
    assert noria.flush()
    assert other.requests == []
    assert stats().spans.dropped == {"refused": 1}
    other.close()


PROGRAM = """
import sys, time, noria
@noria.trace
def work(n): return n
for n in range(int(sys.argv[1])): work(n)
noria.score("fine", True, trace_id="ab" * 16)
"""


def run(code: str, url: str, *arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    environ = os.environ | {"NORIA_URL": url, "NORIA_API_KEY": "k"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=False, env=environ, capture_output=True, text=True, timeout=60
    )
    return time.monotonic() - began, done


def test_the_end_of_a_program_sends_what_waits(collector: Collector) -> None:
    _, done = run(PROGRAM, collector.url, "1200")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(collector.spans) == 1200
    assert [score["name"] for score in collector.scores] == ["fine"]


def test_the_end_of_a_program_is_not_held_up_by_a_server_that_is_gone() -> None:
    took, done = run(PROGRAM, "http://127.0.0.1:9", "1200")
    assert done.returncode == 0
    assert "dropped (exit)" in done.stderr or "Connection refused" in done.stderr
    assert took < 10


FORKING = """
import os, noria
from noria.sdk import shutdown, stats
with noria.trace("parent"): pass
child = os.fork()
for n in range(300):
    with noria.trace("child" if child == 0 else "after"): pass
ok = noria.flush()
assert ok and stats().spans.made == (300 if child == 0 else 301), stats()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_sends_its_own_and_nothing_twice(collector: Collector) -> None:
    _, done = run(FORKING, collector.url)
    assert done.returncode == 0, done.stderr
    names = [span.name for span in collector.spans]
    assert sorted({name: names.count(name) for name in names}.items()) == [
        ("after", 300),
        ("child", 300),
        ("parent", 1),
    ]
    assert len({span.span_id for span in collector.spans}) == 601


def test_spans_of_http_clients_are_not_made_by_sending(configured: Collector) -> None:
    """Instrumentations that look at the suppression key stay silent in the thread that sends."""
    seen: list[Any] = []
    ask = Connection.ask

    def spy(self: Connection, *arguments: Any, **more: Any) -> Any:
        seen.append(context.get_value(context._SUPPRESS_INSTRUMENTATION_KEY))
        return ask(self, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "ask", spy)
        make(1)
        assert noria.flush()
    assert seen == [True]


def test_what_was_sent_is_what_was_made(configured: Collector) -> None:
    for n in range(50):
        with noria.trace("n", n=n):
            pass
    assert noria.flush()
    assert [attributes(span)["n"] for span in configured.spans] == list(range(50))


def test_one_wrong_record_takes_no_other_with_it(configured: Collector) -> None:
    def answer(path: str, _number: int) -> Reply:
        return (400, {}, b"bad") if path == "/v1/traces" and configured.last_count > 1 else OK

    configured.answer = answer
    make(5)
    assert noria.flush()
    assert stats().spans.sent == len(configured.spans) == 5


@pytest.mark.parametrize("value", [True, 3, 0.5, "good", np.float32(0.5), np.bool_(True), np.int64(3)])
def test_scores_of_every_kind(configured: Collector, value: Any) -> None:
    assert noria.score("s", value, trace_id="ab" * 16, metadata={"odd": object(), "n": np.arange(2)})
    assert noria.flush()
    [score] = configured.scores
    assert score["value"] == value
    assert isinstance(score["metadata"]["odd"], str)
    assert len(score["id"]) == 32


def test_no_thread_can_be_started(configured: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        make(2)
    assert stats().spans.queued == 2
    make(1)
    assert noria.flush()
    assert stats().spans.sent == 3
