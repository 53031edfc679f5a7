"""Gateways in front of one fake provider, each started and asked in its own way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from durable.server import KEY
from peers import Process

from gateways.load import Plan, Seen

_HERE = Path(__file__).resolve().parent
"""Its programs are run by their paths: as modules they would first import all of Noria."""
_NORIA = "import sys; from noria.cli import main; sys.exit(main())"
TRANSLATED = "translated"
"""The provider of Noria's that speaks Anthropic's dialect, while its callers speak OpenAI's."""
MODELS = ("gpt-4o", "gpt-4o-200x10", "gpt-4o-100x100")
"""The fake provider's models, for gateways that have to be told each."""
_LIMITS = {"requests": 10**8, "tokens": 10**9}
"""What the key may use in a minute: more than any run does."""
ASKED = "Say in two sentences how a noria lifts water, and what drives it. " * 4
"""What every call asks: as many characters as an ordinary short question with its system prompt."""


def ask(model: str, *, stream: bool = False) -> dict[str, Any]:
    """The body of a call."""
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": ASKED}]
    return {"model": model, "messages": messages, "temperature": 0.5, "max_tokens": 200, "stream": stream}


class Gateway(Process):
    """A server that passes calls on to a provider."""

    path = "/v1/chat/completions"
    """Where it takes calls."""

    def __init__(self, folder: Path, upstream: str) -> None:
        super().__init__(folder)
        self.upstream = upstream
        """Base URL of the provider, without a path."""

    @property
    def calls(self) -> str:
        """URL that takes calls."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def model(self, name: str) -> str:
        """The provider's model as this server names it."""
        return name

    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}


class Direct(Gateway):
    """No gateway: the provider itself."""

    name = "direct"

    def command(self) -> list[str]:
        """Its command line."""
        return [sys.executable, str(_HERE / "upstream.py"), str(self.port)]

    def start(self) -> None:
        """Start, and know where."""
        super().start()
        self.upstream = f"http://127.0.0.1:{self.port}"


class Bare(Gateway):
    """uvicorn, raw ASGI and aiohttp, and nothing else."""

    name = "uvicorn + aiohttp"
    ready_path = "/v1/models"

    def command(self) -> list[str]:
        """Its command line."""
        return [sys.executable, str(_HERE / "passing.py"), str(self.port), self.upstream]


class Nginx(Gateway):
    """nginx as a reverse proxy with kept connections: the limit."""

    name = "nginx"
    ready_path = "/nginx"

    def command(self) -> list[str]:
        """Its command line, which needs a file."""
        address = self.upstream.removeprefix("http://")
        made = self.folder / "nginx.conf"
        made.write_text(
            f"""daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {self.folder}; proxy_temp_path {self.folder};
    upstream provider {{ server {address}; keepalive 2048; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096; keepalive_requests 1000000000;
        location = /nginx {{ return 200; }}
        location / {{
            proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        }}
    }}
}}
"""
        )
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(made)]


class Noria(Gateway):
    """This one: callers come with a virtual key that has limits, every call is priced and recorded."""

    name = "noria"
    ready_path = "/readyz"

    def __init__(
        self, folder: Path, upstream: str, settings: Mapping[str, str] | None = None, *, workers: int = 1
    ) -> None:
        super().__init__(folder, upstream)
        self._workers = workers
        if workers > 1:
            self.name = f"noria, {workers} workers"
        self._settings = settings or {}

    def command(self) -> list[str]:
        """Its command line, beside the file with its providers."""
        url = f'base_url = "{self.upstream}/v1"\n'
        providers = f'[providers.openai]\n{url}[providers.{TRANSLATED}]\nkind = "anthropic"\n{url}'
        (self.folder / "noria.toml").write_text(providers)
        there = ["--port", str(self.port), "--data", str(self.folder / "data"), "--workers", str(self._workers)]
        return [sys.executable, "-c", _NORIA, "up", *there]

    def environment(self) -> dict[str, str]:
        """Its variables."""
        return super().environment() | {"NORIA_API_KEY": KEY, **self._settings}

    def start(self) -> None:
        """Start, make the key, and set its limits, so high that they stop nobody."""
        super().start()
        key = self._ask("POST", "keys", {"name": "measured", "permissions": ["gateway"]})
        for measure, amount in _LIMITS.items():
            limit = {"name": measure, "measure": measure, "amount": amount, "window": "minute", "of": "key"}
            self._ask("PUT", "limits", limit)
        self.headers = {"authorization": f"Bearer {key['secret']}"}

    def model(self, name: str) -> str:
        """``provider/model``."""
        return f"openai/{name}"

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        url = f"http://127.0.0.1:{self.port}/api/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said: dict[str, Any] = json.loads(answer.read())
        return said


def send(url: str, body: dict[str, Any], headers: Mapping[str, str], *, calls: int, connections: int = 1) -> Seen:
    """Send calls from a process of their own, and wait until all are answered."""
    plan = Plan(url=url, body=body, headers=dict(headers), connections=connections, calls=calls)
    given = msgspec.json.encode(plan).decode()
    done = subprocess.run([sys.executable, str(_HERE / "load.py"), given], capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return msgspec.json.decode(done.stdout, type=Seen)


def settled(server: Process, within_s: float = 60.0) -> float:
    """CPU seconds of the server once it has nothing left to do."""
    end, before = time.monotonic() + within_s, server.cpu_s()
    while time.monotonic() < end:
        time.sleep(2)
        now = server.cpu_s()
        if now - before < 0.04:
            return now
        before = now
    return before


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for one server."""
    return tempfile.TemporaryDirectory(prefix="noria-gateway-")


__all__ = [
    "ASKED",
    "MODELS",
    "TRANSLATED",
    "Bare",
    "Direct",
    "Gateway",
    "Nginx",
    "Noria",
    "Seen",
    "ask",
    "scratch",
    "send",
    "settled",
]
