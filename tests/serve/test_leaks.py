"""What people say to models, and the keys that they say it with, are in no error, no log line and no metric."""

from __future__ import annotations

import json
import logging
from typing import Any

import msgspec
import pytest
import structlog
from litestar.routes import HTTPRoute

from bridges.records import score, span
from noria.core.messages import Message
from noria.core.struct import spelt_out
from noria.serve import rest
from noria.serve.app import Application

from .conftest import KEY, Noria

SAID = "swordfish-said-in-confidence"
OTHER_KEY = "sk-swordfish-key-of-somebody"


def bodies() -> list[bytes]:
    """Bodies that hold something said, each of them wrong for nearly every route."""
    message = {"role": "user", "content": SAID}
    one = spelt_out(span(1, input=(Message(role="user", content=SAID),), attributes={"note": SAID}))
    judged = spelt_out(score(1, SAID, reason=SAID, metadata={"why": SAID}))
    otlp = {
        "traceId": "x" + SAID,
        "attributes": [{"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps([message])}}],
    }
    whole: list[Any] = [
        {"model": "nobody/m", "messages": [message]},
        {"model": "up/m", "messages": [message], "temperature": SAID},
        {"model": "up/m", "messages": SAID},
        {"spans": [one | {"trace_id": "0" * 32}], "scores": [judged]},
        {"spans": [one | {"input": SAID}]},
        {"spans": [one | {"start_ns": SAID}]},
        {"scores": [judged | {"span_id": "z"}]},
        {"spans": [one | {"attributes": {"deep": json.loads("[" * 150 + "]" * 150), "note": SAID}}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [otlp]}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [otlp | {"attributes": SAID}]}]}]},
        {"name": "d", "cases": [{"id": "1", "input": {"text": SAID}}, {"id": "1", "input": SAID}]},
        {"name": "p", "prompt": {"blocks": [{"role": "user", "content": "{{ " + SAID}]}, "note": [SAID]},
        {"where": [{"column": "input", "op": "<", "value": {"a": SAID}}]},
        [SAID],
        SAID,
    ]
    encoded = [msgspec.json.encode(one) for one in whole]
    return [*encoded, *(one[:-3] for one in encoded[:4]), b"\x0a\xff" + SAID.encode()]


def places_of(noria: Noria) -> list[tuple[str, str]]:
    """Every path and method that ends by itself."""
    application = Application(noria.workspace, noria.access)
    found = [(path, method) for path, methods in application.routes.items() for method in methods]
    for route in rest.routes(noria.workspace.version).routes:
        assert isinstance(route, HTTPRoute)
        path = route.path_format.replace("{", "").replace("}", "")
        found += [(path, str(method)) for method in route.methods if path != "/api/traces/tail"]
    return found


async def test_nothing_said_and_no_key_leaves_where_it_does_not_belong(
    noria: Noria, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    errors = 0
    with structlog.testing.capture_logs() as logs, caplog.at_level(logging.DEBUG):
        for path, method in places_of(noria):
            for content in bodies() if method in {"POST", "PUT", "PATCH"} else [b""]:
                for headers in (
                    {},
                    {"authorization": f"Bearer {OTHER_KEY}"},
                    {"cookie": f"{noria.access.cookie}={OTHER_KEY}"},
                ):
                    if headers and content != b"" and content != bodies()[0]:
                        continue
                    sent = {"content-type": "application/json", **headers}
                    response = await noria.client.request(method, path, content=content, headers=sent)
                    if response.is_error:
                        errors += 1
                        told = f"{method} {path} {content[:80]!r}: {response.status_code} {response.text}"
                        for secret in (SAID, OTHER_KEY, KEY):
                            assert secret not in response.text + str(response.headers), told
        metrics = (await noria.client.get("/metrics")).text
    out, err = capfd.readouterr()
    for text in (*(repr(entry) for entry in logs), caplog.text, metrics, out, err):
        for secret in (SAID, OTHER_KEY, KEY):
            assert secret not in text
    assert errors > 200
