"""A ClickHouse server for the tests: its real engine behind as much of its HTTP interface as the client speaks.

No server binary comes with any package, so a process of its own runs the engine (chdb) and answers over HTTP, one
request at a time. What is tested against it is tested against ClickHouse's own parser, tables and formats; its network
code, its users and its clusters are not.
"""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

_INSERT = re.compile(rb"INSERT INTO (\S+) FORMAT (\w+)\n", re.IGNORECASE)


@contextmanager
def clickhouse_server(folder: Path) -> Iterator[str]:
    """URL of a server that keeps its data in ``folder``, without a database; it ends with the block."""
    process = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"clickhouse://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Engine:
    """The engine, one request at a time."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._clients: dict[str, object] = {}

    def answer(self, query: bytes, database: str, settings: dict[str, str]) -> bytes:
        import clickhouse_connect  # noqa: PLC0415  # only the process of its own needs it

        with self._lock:
            if database not in self._clients:
                self._clients[database] = clickhouse_connect.get_client(
                    interface="chdb", path=self._folder, database=database
                )
            client = self._clients[database]
            if found := _INSERT.match(query):
                table, form = (part.decode() for part in found.groups())
                client.raw_insert(table, insert_block=query[found.end() :], settings=settings, fmt=form)
                return b""
            return client.raw_query(query.decode(), settings=settings)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: _Engine

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/ping":
            self._send(200, b"Ok.\n")
            return
        settings = dict(parse_qsl(parts.query, keep_blank_values=True))
        given, database = settings.pop("query", ""), settings.pop("database", "default")
        query = given.encode() + (b"\n" if given and body else b"") + body
        try:
            answer = self.engine.answer(query, database, settings)
        except Exception as error:  # noqa: BLE001  # a server answers whatever fails
            code = getattr(error, "code", None) or 1000
            self._send(500, str(error).encode(), {"X-ClickHouse-Exception-Code": str(code)})
            return
        last = re.search(rb"FORMAT\s+(\w+)\s*$", query)
        form = last.group(1).decode() if last else "TabSeparated"
        self._send(200, answer, {"X-ClickHouse-Format": form, "X-ClickHouse-Timezone": "UTC"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def main() -> None:
    _Handler.engine = _Engine(sys.argv[1])
    _Handler.engine.answer(b"SELECT 1", "default", {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
