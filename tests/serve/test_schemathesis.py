"""Schemathesis reads the published OpenAPI document and holds the running server to it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode

from bridges.records import score, span
from noria.core.struct import spelt_out
from noria.serve.port import bind
from noria.serve.run import serving

from .conftest import KEY, opened

LEFT_OUT = {
    "/api/traces/tail": "an answer that ends only when the reader goes",
    "/api/openapi.json": "the document itself",
    "/api/sessions/{session_id}": "its last part may hold slashes, which Schemathesis does not draw",
}
"""Paths that are not tried, each with its reason."""
LARGE = {"/api/traces/import": 2, "/api/experiments": 3}
"""Paths whose bodies are so large that drawing one takes a second, with how many are drawn."""
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """The real server on a port of its own, in a thread with an event loop of its own."""
    started = threading.Event()
    url = ""
    stop: list[Any] = []

    async def serve() -> None:
        nonlocal url
        async with (
            opened(folder) as (workspace, access, _, _),
            serving(workspace, bind("127.0.0.1", 0), access) as (
                server,
                _,
            ),
        ):
            url = server.url
            loop, done = asyncio.get_running_loop(), asyncio.Event()
            stop.append(lambda: loop.call_soon_threadsafe(done.set))
            started.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(30)
        yield url
    finally:
        stop[0]()
        thread.join(30)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The schema of a server that has something to show: an app, a prompt, a data set, traces, scores."""
    with running(tmp_path_factory.mktemp("schemathesis")) as url:
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
            sent = {"spans": [spelt_out(span(n)) for n in range(12)], "scores": [spelt_out(score(n)) for n in range(5)]}
            assert client.post("/api/traces/import", json=sent).is_success
            assert client.post("/api/apps", json={"name": "a"}).is_success
            cases = [{"id": "1", "input": {"text": "hi"}}]
            assert client.post("/api/datasets", json={"name": "d", "cases": cases}).is_success
        config = SchemathesisConfig.from_dict(
            {
                "seed": 1,
                "phases": {"coverage": {"enabled": False}, "stateful": {"enabled": False}},
            }
        )
        schema = schemathesis.openapi.from_url(
            f"{url}/api/openapi.json", config=config, headers={"authorization": f"Bearer {KEY}"}
        )
        yield schema.exclude(path=list(LEFT_OUT))


@pytest.mark.untraced  # the server is watched all the same: it runs in the other thread
def test_the_server_keeps_what_its_document_says(api: Any) -> None:
    checks = CHECKS.get_by_names(CHECKED)
    failures: dict[str, BaseException] = {}
    tried = 0
    for result in api.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=LARGE.get(operation.path, 6),
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy())
        def keeps(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=checks, headers={"Authorization": f"Bearer {KEY}"})

        try:
            keeps()
        except (FailureGroup, Failure) as error:  # all operations are told in one report
            failures[f"{operation.method.upper()} {operation.path}"] = error
    assert not failures, "\n\n".join(f"{name}\n{error}" for name, error in failures.items())
    assert tried > 150
