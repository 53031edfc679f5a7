"""The process behind :class:`noria.engines.scripted.ScriptedEngine`: OpenAI chat over the standard library's HTTP.

Wire: https://platform.openai.com/docs/api-reference/chat, the parts that a plain chat needs.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from noria.engines.child import Parent, take_order

_DIRECTIVE = re.compile(r"\[\[(crash|hang|slow|refuse|cut|say)(?: ([^\]]*))?\]\]")
_FOREVER = threading.Event()


class Script:
    """What one message asks for."""

    def __init__(self, message: str, answers: dict[str, str]) -> None:
        found: dict[str, str] = dict(_DIRECTIVE.findall(message))
        plain = _DIRECTIVE.sub("", message).strip() or "yes"
        known = next((answer for key, answer in answers.items() if key in message), plain)
        self.words = re.findall(r"\s*\S+", found.get("say") or known)
        """Tokens of the answer, their spaces included; together they are the answer."""
        self.status = int(found["refuse"] or 400) if "refuse" in found else 200
        self.hangs = "hang" in found
        self.slow_s = float(found.get("slow") or 0)
        self.crash_at = int(found["crash"] or 0) if "crash" in found else None
        self.cut_at = int(found["cut"] or 0) if "cut" in found else None

    def play(self) -> Iterator[str]:
        """The tokens, as the script wants them: late, cut, or not at all."""
        if self.hangs:
            _FOREVER.wait()
        for index, word in enumerate([*self.words, ""]):
            if index == self.crash_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if index == self.cut_at:
                raise ConnectionAbortedError
            if word:
                time.sleep(self.slow_s)
                yield word


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    order: dict[str, Any]

    def do_GET(self) -> None:
        """Health and the list of models."""
        if self.path == "/health":
            if self.order.get("start_hangs"):
                self._json(503, {"error": {"message": "loading", "type": "unavailable_error", "code": 503}})
            else:
                self._json(200, {"status": "ok"})
        elif self._allowed():
            self._json(200, {"object": "list", "data": [{"id": self.order["model"], "object": "model"}]})

    def do_POST(self) -> None:
        """A chat."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed():
            return
        chat = json.loads(body)
        messages = chat.get("messages") or [{}]
        text = _text(messages[-1].get("content"))
        script = Script(text, self.order["answers"])
        if script.status != 200:
            self._json(script.status, _error("told to refuse", script.status))
            return
        prompt_tokens = sum(len(_text(message.get("content")).split()) for message in messages)
        try:
            (self._stream if chat.get("stream") else self._whole)(chat, script, prompt_tokens)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: requests are the callers' business."""

    def _whole(self, chat: dict[str, Any], script: Script, prompt_tokens: int) -> None:
        words = list(script.play())
        limit = chat.get("max_tokens") or len(words)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(words[:limit])},
            "finish_reason": "length" if len(words) > limit else "stop",
        }
        usage = _usage(prompt_tokens, min(limit, len(words)))
        self._json(200, {**self._envelope("chat.completion"), "choices": [choice], "usage": usage})

    def _stream(self, chat: dict[str, Any], script: Script, prompt_tokens: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        envelope, sent = self._envelope("chat.completion.chunk"), 0
        limit = chat.get("max_tokens") or len(script.words)
        for word in script.play():
            if sent == limit:
                break
            role = {} if sent else {"role": "assistant"}
            delta = {**role, "content": word}
            self._event({**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            sent += 1
        reason = "length" if sent < len(script.words) else "stop"
        self._event({**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if (chat.get("stream_options") or {}).get("include_usage"):
            self._event({**envelope, "choices": [], "usage": _usage(prompt_tokens, sent)})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{os.urandom(8).hex()}",
            "object": kind,
            "created": int(time.time()),
            "model": self.order["model"],
        }

    def _allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {self.order['api_key']}":
            return True
        self._json(401, _error("Invalid API Key", 401))
        return False

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _json(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _error(message: str, status: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "code": status}}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def serve(parent: Parent) -> None:
    """Serve until the parent ends this process."""
    order = parent.order
    if order["refusal"]:
        parent.refuse(order["refusal"])
    if order["attempt"] < order["start_crashes"]:
        raise SystemExit(f"told to crash at start {order['attempt']}")
    handler = type("OrderedHandler", (Handler,), {"order": order})
    server = ThreadingHTTPServer((order["host"], 0), handler)
    parent.listening(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    serve(take_order())
