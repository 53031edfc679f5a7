"""A real server with a real model, and what each instrumented application sent to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engines.conftest import FolderBlobs
from noria.engines.weights import pull

from .libraries import LIBRARIES, NODE_APP, PLACE, Library
from .matrix import Spans

KEY = "noria_test_key"
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "LANGSMITH_TRACING": "false",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "OTEL_METRICS_EXPORTER": "none",
    "TRACELOOP_TELEMETRY": "false",
}
"""Nothing calls home."""


class Served(NamedTuple):
    url: str

    def ask(self, path: str, body: Any = None) -> Any:
        """The answer to GET, or with a body to POST."""
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data=data, headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``noria up`` with SmolLM2 as ``local/smollm2-135m``."""
    cache = FolderBlobs(Path(os.environ.get("NORIA_TEST_CACHE") or Path.home() / ".cache" / "noria-tests"))
    model = asyncio.run(pull("smollm2-135m", blobs=cache, now=time.time_ns, progress=lambda *_: None))
    folder = tmp_path_factory.mktemp("instrumentations")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NORIA_")}
    environ = inherited | {"NORIA_DATA": str(folder / "data"), "NORIA_API_KEY": KEY}
    noria = [sys.executable, "-m", "noria.cli"]
    weights = f"file:{cache.path(model.sha256)}"
    subprocess.run(
        [*noria, "models", "pull", weights, "--name", "smollm2-135m", "--context", "1024", "--slots", "1"],
        env=environ,
        capture_output=True,
        check=True,
    )
    server = subprocess.Popen([*noria, "up", "--port", "0"], env=environ, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield Served(server.stdout.readline().split()[4])
    server.terminate()
    assert server.wait(timeout=30) == 0
    server.stdout.close()


@pytest.fixture(scope="module")
def seen(served: Served) -> dict[str, Spans]:
    """Each application is run once; its spans as the API shows them, oldest first."""
    runnable = {name: library for name, library in LIBRARIES.items() if not library.missing}
    if not LIBRARIES["vercel_ai"].missing:
        shutil.copy(NODE_APP / "app.mjs", PLACE / "vercel_ai")
    with ThreadPoolExecutor(2) as pool:
        outcomes = dict(zip(runnable, pool.map(lambda item: run(served, *item), runnable.items()), strict=True))
    for name, done in outcomes.items():
        assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"
    return {name: list(reversed(served.ask(f"/api/traces?app={name}&limit=100"))) for name in runnable}


def run(served: Served, name: str, library: Library) -> subprocess.CompletedProcess[str]:
    """Run an application as its user would: everything about Noria is in the environment."""
    path = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environ = {
        **path,
        **QUIET,
        "MODEL": "local/smollm2-135m",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{served.url}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": served.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{KEY}",
        "OTEL_SERVICE_NAME": name,
        **library.environ,
    }
    return subprocess.run(library.command, env=environ, capture_output=True, text=True, timeout=100, check=False)
