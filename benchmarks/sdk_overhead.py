"""What a traced call costs the application: CPU microseconds beside the bare call, and what the sending thread takes.

Compares with OpenTelemetry alone, whose spans are inside of ours. The server is a stand-in that answers at once.

    python benchmarks/sdk_overhead.py [--calls 20000] [--json]
"""

from __future__ import annotations

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from report import Report, arguments

import noria
from noria.sdk import stats


class Sink(BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer at once."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def answer(question: str) -> str:
    return question


def caller_us(calls: int, call: Any) -> float:
    """CPU of the calling thread alone, microseconds a call."""
    began = time.thread_time()
    for _ in range(calls):
        call("What is the first sign of puberty in a girl?")
    return (time.thread_time() - began) / calls * 1e6


async def coroutine_us(calls: int, call: Any) -> float:
    began = time.thread_time()
    for _ in range(calls):
        await call("What is the first sign of puberty in a girl?")
    return (time.thread_time() - began) / calls * 1e6


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    report = Report("What a traced call costs its caller", ["what", "CPU µs a call"], as_json=options.json)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tracer = TracerProvider().get_tracer("bare")

    def with_otel(question: str) -> str:
        with tracer.start_as_current_span("answer"):
            return answer(question)

    @noria.trace
    async def later(question: str) -> str:
        return question

    report.add("bare call", caller_us(options.calls, answer))
    report.add("OpenTelemetry alone", caller_us(options.calls, with_otel))
    report.add("noria.trace, no server", caller_us(options.calls, noria.trace(answer)))
    url = f"http://127.0.0.1:{server.server_port}"
    noria.configure(url=url, queue_records=10 * options.calls, queue_bytes=1 << 30)
    process = time.process_time()
    report.add("noria.trace", caller_us(options.calls, noria.trace(answer)))
    noria.flush(120)
    report.add("... all threads, server too", (time.process_time() - process) / options.calls * 1e6)
    report.add("... capture=False", caller_us(options.calls, noria.trace(capture=False)(answer)))
    report.add("... on a coroutine", asyncio.run(coroutine_us(options.calls, later)))
    noria.flush(120)
    counts = stats().spans
    report.note(f"{counts.made:,} spans made, {counts.sent:,} sent, {sum(counts.dropped.values()):,} dropped.")
    report.end()


if __name__ == "__main__":
    main()
