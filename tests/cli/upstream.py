"""A model server on a local port that logs every call, and holds calls back when told to."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Upstream:
    """OpenAI chat, not streamed. It answers ``positive`` to a text with "good" in it, else ``negative``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Last message of every call, in order of arrival."""
        self.changed = threading.Condition()
        self.hold_after: int | None = None
        """Calls that are answered before all others have to wait for :meth:`release`."""
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                chat = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = upstream.answer(chat["messages"][-1]["content"])
                self.reply({
                    "id": "x", "object": "chat.completion", "created": 1, "model": chat["model"],
                    "choices": [
                        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}
                    ],
                    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
                })  # fmt: skip

            def reply(self, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A caller that was killed has hung up; that is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def providers(self) -> str:
        """The setting that makes this server the provider ``fake``."""
        url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return json.dumps({"fake": {"base_url": url, "stream": False, "attempts": 1}})

    def answer(self, text: str) -> str:
        with self.changed:
            self.calls.append(text)
            number = len(self.calls)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.hold_after is None or number <= self.hold_after)
        return "positive" if "good" in text else "negative"

    def wait_for_calls(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= count, timeout=60), self.calls

    def release(self) -> None:
        with self.changed:
            self.hold_after = None
            self.changed.notify_all()

    def calls_by_text(self) -> Counter[str]:
        return Counter(self.calls)

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
