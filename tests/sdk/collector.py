"""A stand-in for Noria's intake: takes OTLP and scores over real HTTP, and answers as it is told."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Reply = tuple[int, dict[str, str], bytes]
OK: Reply = (200, {}, b"")


def partial(rejected: int, why: str = "no") -> Reply:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = why
    return 200, {}, answer.SerializeToString()


class Collector:
    def __init__(self) -> None:
        self.answer: Callable[[str, int], Reply] = lambda _path, _number: OK
        """Answers a request by its path and number."""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.spans: list[Span] = []
        """Spans of requests that were answered with 200."""
        self.resources: list[dict[str, Any]] = []
        self.scores: list[dict[str, Any]] = []
        self.last_count = 0
        """Spans of the request that is being answered."""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                self._reply(collector._take(self.path, {k.lower(): v for k, v in self.headers.items()}, body))

            def do_GET(self) -> None:
                self._reply(collector._take(self.path, {k.lower(): v for k, v in self.headers.items()}, b""))

            def _reply(self, reply: Reply) -> None:
                status, headers, body = reply
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._lock = threading.Lock()
        threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.02), daemon=True).start()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        with self._lock:
            self.requests.append((path, headers))
            number = len(self.requests)
            if path == "/v1/traces":
                self.last_count = _count(body)
        reply = self.answer(path, number)
        if reply[0] == 200 and path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            for group in request.resource_spans:
                self.resources.append(attributes(group.resource))
                for scope in group.scope_spans:
                    self.spans += scope.spans
        elif reply[0] == 200 and path == "/api/scores":
            self.scores += json.loads(body)
        return reply

    def named(self, name: str) -> Span:
        [found] = [span for span in self.spans if span.name == name]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _count(body: bytes) -> int:
    groups = ExportTraceServiceRequest.FromString(body).resource_spans
    return sum(len(scope.spans) for group in groups for scope in group.scope_spans)


def attributes(held: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in held.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)
